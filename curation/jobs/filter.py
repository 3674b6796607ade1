"""Filter: the rules say which clips a subset keeps, from the scores alone; sounds are chosen for what they are to their picture, of
near-duplicates the best copy is kept, of common concepts fewer clips.

On the driver: rules take seconds, and so do the copies of some ten thousand clips.
"""

from collections.abc import Collection

from curation.config import CurateConfig
from curation.filters import Decision, Rule, load_rules
from curation.sound_buckets import SOUND_BUCKET, SOUND_DETECTORS, SoundConfig, reject_sound
from curation.verdicts import decide_clips
from moviegen.config import load_config
from moviegen.contracts.bucket import BucketSet, assign_bucket
from moviegen.contracts.clip import Clip, hash_id
from moviegen.errors import UsageError

from .clips import Batch
from .copies import drop_copies, kept_clips
from .parts import Operation, Rows
from .resample import resample
from .session import Session

VERSION = 3
"""Raised when the same scores and rules would give another selection."""

BUCKET_RULE = "bucket"
"""Name of the last rule: the clip's duration must be in a bucket."""

TABLES = ("rules", "copies", "clip_concepts", "selection")


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
    if session.config.sound is not None:
        rows |= choose_sounds(rows, batch, session.config.sound, session.config.score.detectors)
    if session.config.dedup is not None:
        rows |= drop_copies(rows, batch, session.config)
    if session.config.balance is not None:
        rows |= resample(rows, batch, session.config)
    kept = sum(row["keep"] for row in rows["selection"])
    is_new = session.commit_rows(operation(session.config, rows), sorted(batch.clips), rows)
    session.progress.say(f"filter: {kept} of {len(batch.clips)} clips kept for {session.config.subset}")
    if is_new and session.config.dedup is not None and session.config.dedup.across_batches:
        _say_who_follows(session)


def _say_who_follows(session: Session) -> None:
    """Later batches have dropped copies of what this one kept before."""
    config = session.config
    later = [
        name
        for name in session.lake.batches("selection")
        if name > config.batch and kept_clips(session.lake, name, config.subset)
    ]
    if later:
        session.progress.say(
            f"filter: {', '.join(later)} come after {config.batch}, and drop copies of what it keeps: filter them again, with --batch"
        )


def operation(config: CurateConfig, rows: Rows) -> Operation:
    """The operation that gives these rows: its version is theirs."""
    return Operation(f"filter:{config.subset}", hash_id("filter", VERSION, rows), TABLES, "")


def selection_rows(batch: Batch, rules: list[Rule], buckets: BucketSet, subset: str) -> Rows:
    """Rows of `rules` and `selection`, and none yet of copies and concepts.

    A clip that a detector failed on, and that nothing else rejects, is in neither: it failed.
    """
    selection = []
    for clip_id, decision in sorted(decide_clips(batch.scores, rules, batch.failed_detectors).items()):
        if decision is not None:
            decision = in_bucket(decision, Clip(**batch.clips[clip_id]), buckets)
            skipped = ",".join(decision.skipped)
            selection.append({"subset": subset, "clip_id": clip_id, **vars(decision), "skipped": skipped})
    return {"rules": rule_rows(rules, subset), "copies": [], "clip_concepts": [], "selection": selection}


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


def choose_sounds(rows: Rows, batch: Batch, sound: SoundConfig, detectors: Collection[str]) -> Rows:
    """The rows with the kept clips rejected whose sound is in no bucket, or in one of which fewer are taken. A kept clip that a detector
    of sound failed on is in neither any more: it failed.

    Raises UsageError when nobody measures the sound.
    """
    if missing := [name for name in SOUND_DETECTORS if name not in detectors]:
        raise UsageError(
            f"sound: wants the scores of {' and '.join(SOUND_DETECTORS)}, and score.detectors has no {missing[0]}; add it with its model's "
            "path (curation/detectors/README.md), or say sound: null"
        )
    kept = {row["clip_id"] for row in rows["selection"] if row["keep"]}
    failed = {clip_id for clip_id in kept if batch.failed_detectors.get(clip_id, set()) & set(SOUND_DETECTORS)}
    reasons = {clip_id: reject_sound(clip_id, batch.scores[clip_id], sound) for clip_id in kept - failed}
    bound = "the sound belongs to the picture, by sync.cosine and what is heard"
    return {
        "rules": [*rows["rules"], last_row(SOUND_BUCKET, bound, rows["rules"][0]["subset"], len(rows["rules"]))],
        "selection": [
            row | {"keep": False, "reason": SOUND_BUCKET, "detail": reasons[row["clip_id"]]}
            if reasons.get(row["clip_id"])
            else row
            for row in rows["selection"]
            if row["clip_id"] not in failed
        ],
    }
