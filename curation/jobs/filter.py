"""Filter: the rules say which clips a subset keeps, from the scores alone. On the driver: it takes seconds."""

from dataclasses import asdict

from curation.config import CurateConfig
from curation.filters import Decision, Rule, decide, load_rules
from moviegen.config import load_config
from moviegen.contracts.bucket import BucketSet, assign_bucket
from moviegen.contracts.clip import Clip, hash_id

from .clips import Batch
from .parts import Operation, Rows
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
    batch = Batch(session.lake, session.batch)
    rows = selection_rows(batch, rules, buckets, session.config.subset)
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
    last = dict.fromkeys(("min", "max"), None) | {"rule": BUCKET_RULE, "metric": "", "if_missing": "error"}
    return [*rows, {**last, "subset": subset, "position": len(rows), "bound": "duration in a bucket"}]
