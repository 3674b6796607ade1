"""Filter: the rules say which clips a subset keeps, from the scores alone; of near-duplicates the best copy is kept, of common concepts
fewer clips.

On the driver: rules take seconds, and so do the copies of some ten thousand clips.
"""

from dataclasses import asdict, replace

from curation.config import CurateConfig
from curation.dedup import NEAR_DUPLICATE, DedupConfig, choose_copies, clip_quality, describe_copy, find_matches
from curation.embedders import load_embedder
from curation.embedders.base import CopyRules
from curation.embedders.store import load_vectors
from curation.filters import Decision, Rule, decide, load_rules
from moviegen.config import load_config
from moviegen.contracts.bucket import BucketSet, assign_bucket
from moviegen.contracts.clip import Clip, hash_id
from moviegen.errors import UsageError

from .clips import Batch
from .parts import Operation, Rows
from .resample import resample
from .session import Session

VERSION = 1
"""Raised when the same scores and rules would give another selection."""

BUCKET_RULE = "bucket"
"""Name of the last rule: the clip's duration must be in a bucket."""

TABLES = ("rules", "selection")


def filter_clips(session: Session) -> None:
    """Makes the subset's selection again when a score, a rule or a bucket has changed."""
    rules = load_rules(session.config.filter.rules)
    buckets = load_config(BucketSet, session.config.shard.bucket_set)
    if session.has_plan:
        session.progress.say("then filter, on the scores there will be")
        return
    session.progress.doing("filter")
    batch = Batch(session.lake, session.batch)
    rows = selection_rows(batch, rules, buckets, session.config.subset)
    if session.config.dedup is not None:
        rows = drop_copies(rows, batch, session.config.dedup, copy_rules(session.config))
    if session.config.balance is not None:
        rows = resample(rows, batch, session.config.balance, session.config.subset)
    kept = sum(row["keep"] for row in rows["selection"])
    session.commit_rows(operation(session.config, rows), sorted(batch.clips), rows)
    session.progress.say(f"filter: {kept} of {len(batch.clips)} clips kept for {session.config.subset}")


def operation(config: CurateConfig, rows: Rows) -> Operation:
    """The operation that gives these rows: its version is theirs."""
    return Operation(f"filter:{config.subset}", hash_id("filter", VERSION, rows), TABLES, "")


def selection_rows(batch: Batch, rules: list[Rule], buckets: BucketSet, subset: str) -> Rows:
    """Rows of `rules` and `selection`. A clip that a detector failed on, and that nothing else rejects, is in neither: it failed."""
    selection = []
    for clip_id, scores in sorted(batch.scores.items()):
        decision = decide_clip(scores, rules, batch.failed_detectors.get(clip_id, set()))
        if decision is not None:
            decision = in_bucket(decision, Clip(**batch.clips[clip_id]), buckets)
            skipped = ",".join(decision.skipped)
            selection.append({"subset": subset, "clip_id": clip_id, **asdict(decision), "skipped": skipped})
    return {"rules": rule_rows(rules, subset), "selection": selection}


def decide_known(scores: dict[str, float], rules: list[Rule]) -> Decision:
    """The decision of the rules whose metric is there."""
    return decide(scores, [rule for rule in rules if rule.metric in scores])


def decide_clip(scores: dict[str, float], rules: list[Rule], failed: set[str]) -> Decision | None:
    """Kept or not, and why; None when a detector failed on the clip and nothing else rejects it.

    A clip that a cheap rule rejected is not shown to costly detectors, so the rules whose metric is there come first. Raises
    UsageError when a metric is missing that a rule insists on.
    """
    known = decide_known(scores, rules)
    if not known.keep:
        return known
    if any(rule.metric not in scores and rule.metric.partition(".")[0] in failed for rule in rules):
        return None
    return decide(scores, rules)


def in_bucket(decision: Decision, clip: Clip, buckets: BucketSet) -> Decision:
    """The decision, turned into a rejection when no bucket takes a kept clip."""
    if not decision.keep or assign_bucket(clip.width, clip.height, clip.duration, buckets) is not None:
        return decision
    return Decision(False, BUCKET_RULE, f"duration {clip.duration:.3f} s is in no bucket", decision.skipped)


def rule_rows(rules: list[Rule], subset: str) -> list[dict]:
    """Rows of `rules`: those of the file, then the one about buckets."""
    rows = [
        {
            "subset": subset,
            "position": position,
            "rule": rule.name,
            "metric": rule.metric,
            "min": rule.min,
            "max": rule.max,
            "bound": rule.bound,
            "if_missing": rule.if_missing,
        }
        for position, rule in enumerate(rules)
    ]
    return [*rows, last_row(BUCKET_RULE, "duration in a bucket", subset, len(rows))]


def last_row(name: str, bound: str, subset: str, position: int) -> dict:
    """Row of `rules` for a rule that bounds no metric."""
    blank = dict.fromkeys(("min", "max"), None) | {"metric": "", "if_missing": "error"}
    return blank | {"subset": subset, "position": position, "rule": name, "bound": bound}


def copy_rules(config: CurateConfig) -> CopyRules:
    """How copies are told from the vectors that `dedup` names. Raises UsageError when they are not made for it, and without a threshold."""
    dedup = config.dedup
    rules = load_embedder(dedup.embedder, config.embed.embedders[dedup.embedder]).copies
    if rules is None and dedup.threshold is None:
        raise UsageError(
            f"dedup: the vectors of {dedup.embedder} are not made to tell copies and have no threshold of their own; "
            "take embedder fingerprint or sscd, or give dedup.threshold"
        )
    return replace(rules or CopyRules(dedup.threshold), threshold=dedup.threshold or rules.threshold)


def drop_copies(rows: Rows, batch: Batch, dedup: DedupConfig, rules: CopyRules) -> Rows:
    """The rows with the copies among kept clips rejected. A kept clip whose embedding failed is in neither any more: it failed.

    Raises UsageError when a kept clip was never embedded.
    """
    kept = {row["clip_id"] for row in rows["selection"] if row["keep"]}
    clip_ids, places, vectors = load_vectors(batch.lake, batch.name, dedup.embedder)
    chosen = [number for number, clip_id in enumerate(clip_ids) if clip_id in kept]
    failed = batch.failed_embeddings(dedup.embedder) & kept
    if missing := sorted(kept - set(clip_ids) - failed):
        raise UsageError(
            f"dedup: {len(missing)} of {len(kept)} kept clips have no vectors of {dedup.embedder}, such as {missing[0]}; "
            "run `moviegen curate embed` with this config first, or say dedup: null"
        )
    found = find_matches([clip_ids[n] for n in chosen], places[chosen], vectors[chosen], rules, dedup.min_share)
    quality = {clip_id: clip_quality(batch.clips[clip_id], batch.video_of(clip_id)) for clip_id in kept - failed}
    copies = choose_copies(found, quality)
    bound = f"cosine of {dedup.embedder} < {rules.threshold:g} on {dedup.min_share:.0%} of the shorter clip's frames"
    return {
        "rules": [*rows["rules"], last_row(NEAR_DUPLICATE, bound, rows["rules"][0]["subset"], len(rows["rules"]))],
        "selection": [
            row if row["clip_id"] not in copies else row | _rejected(row["clip_id"], copies)
            for row in rows["selection"]
            if row["clip_id"] not in failed
        ],
    }


def _rejected(clip_id: str, copies: dict) -> dict:
    return {"keep": False, "reason": NEAR_DUPLICATE, "detail": describe_copy(clip_id, copies[clip_id])}
