"""Resample: of common concepts fewer clips are kept, on the vectors that there are. A part of `filter`, on the driver."""

from curation.concepts import ASPECT, CONCEPT, BalanceConfig, ClipPool, balance, mean_vectors
from curation.embedders.store import load_vectors
from moviegen.errors import UsageError

from .clips import Batch
from .parts import Rows


def resample(rows: Rows, batch: Batch, config: BalanceConfig, subset: str) -> Rows:
    """The rows with the clips rejected that are too many of their concept or aspect, and rules that say so.

    A kept clip whose embedding failed is in neither any more: it failed. Raises UsageError when a kept clip was never embedded.
    """
    failed = batch.failed_embeddings(config.embedder)
    kept = {row["clip_id"] for row in rows["selection"] if row["keep"]} - failed
    pool = clip_pool(batch, kept, config)
    found = {each.clip_id: each for each in balance(pool, config, subset)} if kept else {}
    return {
        "rules": [*rows["rules"], *_rules(config, subset, len(rows["rules"]))],
        "selection": [
            row | _verdict(found[row["clip_id"]]) if row["clip_id"] in found else row
            for row in rows["selection"]
            if not (row["keep"] and row["clip_id"] in failed)
        ],
    }


def clip_pool(batch: Batch, kept: set[str], config: BalanceConfig) -> ClipPool:
    """The kept clips with one vector each, the human-centred and the wide ones among them named."""
    clip_ids, _, vectors = load_vectors(batch.lake, batch.name, config.embedder)
    chosen = [number for number, clip_id in enumerate(clip_ids) if clip_id in kept]
    if missing := sorted(kept - set(clip_ids)):
        raise UsageError(
            f"balance: {len(missing)} of {len(kept)} kept clips have no vectors of {config.embedder}, such as {missing[0]}; "
            "run `moviegen curate embed` with this config first, or say balance: null"
        )
    names, means = mean_vectors([clip_ids[number] for number in chosen], vectors[chosen])
    humans = frozenset(
        clip_id for clip_id in names if config.human_metric and is_human(batch.scores[clip_id], clip_id, config)
    )
    landscape = frozenset(
        clip_id for clip_id in names if batch.clips[clip_id]["width"] >= batch.clips[clip_id]["height"]
    )
    return ClipPool(names, means, humans, landscape)


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


def _verdict(found) -> dict:
    return {} if found.keep else {"keep": False, "reason": found.reason, "detail": found.detail}
