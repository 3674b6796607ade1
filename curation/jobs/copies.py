"""Copies: of near-duplicates the best is kept, on the vectors that there are; what earlier batches keep stays. A part of `filter`, on the
driver."""

from dataclasses import replace

from curation.config import CurateConfig
from curation.dedup import (
    NEAR_DUPLICATE,
    Copy,
    DedupConfig,
    choose_copies,
    clip_quality,
    describe_copy,
    find_matches,
)
from curation.embedders import embedder_version, load_embedder
from curation.embedders.base import CopyRules, Embedder
from curation.embedders.store import Wanted, load_vectors
from curation.rows import read_parts
from curation.vectors import ClipVectors
from moviegen.contracts.lake import Lake
from moviegen.errors import UsageError

from .clips import Batch
from .parts import Rows


def drop_copies(rows: Rows, batch: Batch, config: CurateConfig) -> Rows:
    """The rows with the copies among kept clips rejected, and rows of `copies`. A kept clip whose embedding failed is in none: it failed.

    Raises UsageError when a kept clip was never embedded, or by another version of the embedder.
    """
    dedup = config.dedup
    assert dedup is not None
    embedder = load_embedder(dedup.embedder, config.embed.embedders[dedup.embedder])
    rules = copy_rules(embedder, dedup)
    failed = batch.failed_embeddings(dedup.embedder)
    kept = {row["clip_id"] for row in rows["selection"] if row["keep"]} - failed
    earlier = kept_earlier(batch, config) if dedup.across_batches else {}
    clips = _load(batch, earlier, kept, Wanted(dedup.embedder, embedder_version(embedder)))
    before = frozenset().union(*earlier.values())
    matches = find_matches(clips, rules, dedup.min_share, before)
    quality = {clip_id: clip_quality(batch.clips[clip_id], batch.video_of(clip_id)) for clip_id in kept}
    copies = choose_copies(matches, quality, before)
    return {
        "rules": [*rows["rules"], _rule(config.subset, dedup, rules, len(rows["rules"]))],
        "copies": [_copy_row(config.subset, clip_id, copies[clip_id]) for clip_id in sorted(copies)],
        "selection": [
            row | _rejected(row["clip_id"], copies)
            for row in rows["selection"]
            if not (row["keep"] and row["clip_id"] in failed)
        ],
    }


def copy_rules(embedder: Embedder, dedup: DedupConfig) -> CopyRules:
    """How copies are told from its vectors. Raises UsageError when they are not made for it, and without a threshold."""
    if embedder.copies is None and dedup.threshold is None:
        raise UsageError(
            f"dedup: the vectors of {dedup.embedder} are not made to tell copies and have no threshold of their own; "
            "take embedder fingerprint or sscd, or give dedup.threshold"
        )
    rules = embedder.copies or CopyRules(dedup.threshold)
    return replace(rules, threshold=dedup.threshold or rules.threshold)


def earlier_batches(lake: Lake, batch: str) -> list[str]:
    """Batches that come first by name: as for files of the same bytes, what they hold stays, and what comes later is the copy."""
    return [name for name in lake.batches("selection") if name < batch]


def kept_earlier(batch: Batch, config: CurateConfig) -> dict[str, frozenset[str]]:
    """Clips that earlier batches keep in the subset, by batch; without those whose embedding failed, and those that are this batch's."""
    found = {}
    for name in earlier_batches(batch.lake, batch.name):
        gone = Batch(batch.lake, name).failed_embeddings(config.dedup.embedder) | batch.clips.keys()
        if kept := kept_clips(batch.lake, name, config.subset) - gone:
            found[name] = kept
    return found


def kept_clips(lake: Lake, batch: str, subset: str) -> frozenset[str]:
    """Ids of the clips that a subset keeps of a batch."""
    import pyarrow.compute as pc

    found: set[str] = set()
    for rows in read_parts(lake, "selection", batch, ["subset", "clip_id", "keep"]):
        found.update(rows.filter(pc.and_(pc.equal(rows["subset"], subset), rows["keep"]))["clip_id"].to_pylist())
    return frozenset(found)


def _load(batch: Batch, earlier: dict[str, frozenset[str]], kept: set[str], wanted: Wanted) -> ClipVectors:
    clips = load_vectors(batch.lake, [*earlier, batch.name], replace(wanted, clips=kept.union(*earlier.values())))
    there = set(clips.ids)
    for name, wanted_ids in {**earlier, batch.name: kept}.items():
        if missing := sorted(wanted_ids - there):
            off = "dedup: null" if name == batch.name else "dedup.across_batches: false"
            raise UsageError(
                f"dedup: {len(missing)} of {len(wanted_ids)} kept clips of batch {name} have no vectors of {wanted.embedder}, such as "
                f"{missing[0]}; run `moviegen curate embed --batch {name}` with this config first, or say {off}"
            )
    return clips


def _rule(subset: str, dedup: DedupConfig, rules: CopyRules, position: int) -> dict:
    from .filter import last_row

    bound = f"cosine of {dedup.embedder} < {rules.threshold:g} on {dedup.min_share:.0%} of the shorter clip's frames"
    return last_row(NEAR_DUPLICATE, bound, subset, position)


def _rejected(clip_id: str, copies: dict[str, Copy]) -> dict:
    if clip_id not in copies:
        return {}
    return {"keep": False, "reason": NEAR_DUPLICATE, "detail": describe_copy(clip_id, copies[clip_id])}


def _copy_row(subset: str, clip_id: str, copy: Copy) -> dict:
    match = copy.match
    return {
        "subset": subset,
        "clip_id": clip_id,
        "kept_id": copy.kept,
        "matched_id": match.other(clip_id),
        "similarity": match.similarity,
        "share": match.share,
        "is_mirrored": match.is_mirrored,
    }
