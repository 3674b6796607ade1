"""Filter: the rules say which clips a subset keeps, from the scores alone; sounds are chosen for what they are to their picture, of
near-duplicates the best copy is kept, of common concepts fewer clips.

On the driver: rules take seconds, and so do the copies of some ten thousand clips.
"""

from collections.abc import Collection

from curation.config import CurateConfig
from curation.filters import Decision, Rule, load_rules
from curation.rows import read_table
from curation.sound_buckets import SOUND_BUCKET, SOUND_DETECTORS, SoundConfig, reject_sound
from curation.verdicts import decide_clips
from moviegen.config import load_config
from moviegen.contracts.bucket import BucketSet, assign_bucket
from moviegen.contracts.clip import Clip, hash_id
from moviegen.contracts.lake import Lake
from moviegen.errors import UsageError

from .clips import Batch
from .copies import drop_copies, kept_clips
from .foreseen import foreseen
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
        session.progress.say("then filter, on the scores there will be" + _moved(session, rules))
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
    before = read_selection(session.lake, session.batch, session.config.subset)
    is_new = session.commit_rows(operation(session.config, rows), sorted(batch.clips), rows)
    session.progress.say(
        f"filter: {told(before, rows, len(batch.clips), session.config.subset, is_new, session.dry_run)}"
    )
    if is_new and session.dry_run:
        session.planned_kept = frozenset(row["clip_id"] for row in rows["selection"] if row["keep"])
    if is_new and session.config.dedup is not None and session.config.dedup.across_batches:
        _say_who_follows(session)


def _moved(session: Session, rules: list[Rule]) -> str:
    """Which bounds are others than when the subset was last filtered, and what that does to its clips; empty where none is."""
    subset = session.config.subset
    before = read_selection(session.lake, session.batch, subset)["rules"]
    now = rule_rows(rules, subset)
    changes = changed_rules([row for row in before if row["metric"]], [row for row in now if row["metric"]])
    if not before or not changes:
        return ""
    return "; ".join(["", f"rules changed: {', '.join(changes)}", *filter(None, [foreseen(session, before, rules)])])


def read_selection(lake: Lake, batch: str, subset: str) -> Rows:
    """The subset's committed rows of `rules` and `selection`; no rules where it was never filtered."""
    columns = {"rules": None, "selection": ["subset", "clip_id", "keep"]}
    return {
        table: [row for row in read_table(lake, table, batch, names) if row["subset"] == subset]
        for table, names in columns.items()
    }


def told(before: Rows, now: Rows, num_clips: int, subset: str, is_new: bool, dry_run: bool) -> str:
    """What the filter has done, or would do, in a line: how many clips are kept, and what has changed since the last time."""
    kept, kept_before = ({row["clip_id"] for row in rows["selection"] if row["keep"]} for rows in (now, before))
    number = f"{len(kept)} of {num_clips} clips"
    text = f"would keep {number} for {subset}" if dry_run and is_new else f"{number} kept for {subset}"
    if not is_new:
        return f"{text}, nothing to do"
    if not before["rules"]:
        return text
    changes = changed_rules(before["rules"], now["rules"])
    why = f"; rules changed: {', '.join(changes)}" if changes else "; the rules are the same, what they see has changed"
    return f"{text}: {len(kept_before - kept)} go, {len(kept - kept_before)} come{why}"


def changed_rules(before: list[dict], now: list[dict]) -> list[str]:
    """Each rule that has another bound, is new, is gone, or treats missing scores otherwise, in words."""
    old, new = ({row["rule"]: row for row in rows} for rows in (before, now))
    changes = []
    for name in [*new, *(name for name in old if name not in new)]:
        if name not in old:
            changes.append(f"{name} is new ({new[name]['bound']})")
        elif name not in new:
            changes.append(f"{name} is gone")
        elif old[name]["bound"] != new[name]["bound"]:
            changes.append(f"{name} was {old[name]['bound']}, is {new[name]['bound']}")
        elif old[name]["if_missing"] != new[name]["if_missing"]:
            changes.append(f"{name} has if_missing: {new[name]['if_missing']}")
    if not changes and list(old) != list(new):
        changes.append("their order")
    return changes


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
