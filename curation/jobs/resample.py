"""Resample: of common concepts fewer clips are kept, on the vectors that there are. A part of `filter`, on the driver."""

from curation.concepts import ASPECT, CONCEPT, BalanceConfig, ClipBalance, ClipPool, balance
from curation.config import CurateConfig
from curation.embedders import embedder_version, load_embedder
from curation.embedders.store import Wanted, load_vectors
from curation.vectors import mean_vectors
from moviegen.errors import UsageError

from .clips import Batch
from .parts import Rows


def resample(rows: Rows, batch: Batch, config: CurateConfig) -> Rows:
    """The rows with the clips rejected that are too many of their concept or aspect, rules that say so, and rows of `clip_concepts`.

    A kept clip whose embedding failed, or the detector of people, is in none any more: it failed. Raises UsageError when a kept clip was
    never embedded.
    """
    wanted = config.balance
    assert wanted is not None
    failed = batch.failed_embeddings(wanted.embedder) | _failed_to_count(batch, wanted)
    kept = {row["clip_id"] for row in rows["selection"] if row["keep"]} - failed
    pool = clip_pool(batch, kept, wanted, _version(config))
    found = {each.clip_id: each for each in balance(pool, wanted, config.subset)} if kept else {}
    return {
        "rules": [*rows["rules"], *_rules(wanted, config.subset, len(rows["rules"]))],
        "clip_concepts": [_concept_row(config.subset, each, pool) for each in found.values()],
        "selection": [
            row | _verdict(found[row["clip_id"]]) if row["clip_id"] in found else row
            for row in rows["selection"]
            if not (row["keep"] and row["clip_id"] in failed)
        ],
    }


def _failed_to_count(batch: Batch, config: BalanceConfig) -> set[str]:
    """Clips that nobody knows of whether they show people, as the detector failed on them."""
    if config.human_metric is None:
        return set()
    detector = config.human_metric.partition(".")[0]
    failed = {clip_id for clip_id, names in batch.failed_detectors.items() if detector in names}
    return {clip_id for clip_id in failed if config.human_metric not in batch.scores.get(clip_id, {})}


def _version(config: CurateConfig) -> str:
    name = config.balance.embedder
    return embedder_version(load_embedder(name, config.embed.embedders[name]))


def clip_pool(batch: Batch, kept: set[str], config: BalanceConfig, version: str | None = None) -> ClipPool:
    """The kept clips with one vector each, the human-centred and the wide ones among them named."""
    clips = load_vectors(batch.lake, [batch.name], Wanted(config.embedder, version, kept))
    if missing := sorted(kept.difference(clips.ids)):
        raise UsageError(
            f"balance: {len(missing)} of {len(kept)} kept clips have no vectors of {config.embedder}, such as {missing[0]}; "
            "run `moviegen curate embed` with this config first, or say balance: null"
        )
    humans = frozenset(
        clip_id for clip_id in clips.ids if config.human_metric and is_human(batch.scores[clip_id], clip_id, config)
    )
    landscape = frozenset(
        clip_id for clip_id in clips.ids if batch.clips[clip_id]["width"] >= batch.clips[clip_id]["height"]
    )
    return ClipPool(clips.ids, mean_vectors(clips), humans, landscape)


def is_human(scores: dict[str, float], clip_id: str, config: BalanceConfig) -> bool:
    """Does a clip's score say that it is about people? Raises UsageError when it has no such score."""
    if config.human_metric not in scores:
        raise UsageError(
            f"balance.human_metric: clip {clip_id} has no score {config.human_metric}; add its detector to score.detectors and run "
            "`moviegen curate score`, or say human_metric: null"
        )
    return scores[config.human_metric] >= config.human_min


def _rules(config: BalanceConfig, subset: str, position: int) -> list[dict]:
    from .filter import last_row

    found = [last_row(CONCEPT, f"1/sqrt(n) of a concept of n clips, {config.embedder}", subset, position)]
    if config.landscape_fraction is not None:
        found.append(last_row(ASPECT, f"{config.landscape_fraction:.0%} landscape", subset, position + 1))
    return found


def _concept_row(subset: str, found: ClipBalance, pool: ClipPool) -> dict:
    return {
        "subset": subset,
        "clip_id": found.clip_id,
        "concept": found.cluster,
        "num_alike": found.cluster_size,
        "share": found.weight,
        "is_human": found.clip_id in pool.humans,
    }


def _verdict(found: ClipBalance) -> dict:
    return {} if found.keep else {"keep": False, "reason": found.reason, "detail": found.detail}
