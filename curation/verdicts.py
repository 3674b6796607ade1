"""What rules make of many clips at once, by the scores there are: the one place where `filter`, `score` and `whatif` ask.

A clip that a cheap rule rejects is not shown to costly detectors. So the first rule, in the file's order, that a score breaks is the
reason, whatever other scores are not there; only of the others does it matter what a rule says about a score that is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from curation.filters import Decision, Rule, missing_score
from moviegen.errors import UsageError


@dataclass(frozen=True)
class Verdicts:
    """What the rules say of each of N clips; a place is that of a rule, and R, the number of rules, stands for none."""

    rejected_at: np.ndarray
    """(N,) int: the rule that rejects: the first that a score breaks, else the first that rejects what has no score."""
    unmeasured_at: np.ndarray
    """(N,) int: of clips that no rule rejects, the first rule that lacks the score it insists on, or whose detector failed."""
    skipped: np.ndarray
    """(R, N) bool: of clips that are kept, the rules passed over for lack of a score (`if_missing: keep`)."""
    failed: np.ndarray
    """(N,) bool: of clips that no rule rejects, a detector failed on which a rule depends."""

    @property
    def kept(self) -> np.ndarray:
        """(N,) bool: neither rejected nor without a score that a rule insists on."""
        return (self.rejected_at == len(self.skipped)) & (self.unmeasured_at == len(self.skipped))


def judge(
    rules: Sequence[Rule], scores: Mapping[str, np.ndarray], num: int, failed: Mapping[str, np.ndarray] | None = None
) -> Verdicts:
    """The verdicts on `num` clips with these scores, (num,) a metric, NaN where there is none; `failed` says on which a detector failed."""
    none = len(rules)
    blank = np.zeros((none, num), bool)
    broke, lacks, broken = blank, blank.copy(), blank.copy()
    for place, rule in enumerate(rules):
        lacks[place] = np.isnan(scores[rule.metric])
        broke[place] = breaks(rule, scores[rule.metric])
        broken[place] = lacks[place] & (failed or {}).get(rule.metric.partition(".")[0], False)
    says = {word: np.array([rule.if_missing == word for rule in rules], bool)[:, None] for word in ("keep", "reject")}
    by_score, by_lack = first(broke, none), first(lacks & ~broken & says["reject"], none)
    rejected_at = np.where(by_score < none, by_score, by_lack)
    is_left = rejected_at == none
    wanting = lacks & (broken | ~(says["keep"] | says["reject"]))
    unmeasured_at = np.where(is_left, first(wanting, none), none)
    skipped = lacks & says["keep"] & (is_left & (unmeasured_at == none))
    return Verdicts(rejected_at, unmeasured_at, skipped, is_left & broken.any(axis=0))


def holds(rule: Rule, scores: np.ndarray) -> np.ndarray:
    """(N,) bool: `rule.holds` of each score; false for NaN."""
    found = ~np.isnan(scores)
    if rule.min is not None:
        found &= (scores > rule.min) | ((scores == rule.min) & rule.min_inclusive)
    if rule.max is not None:
        found &= (scores < rule.max) | ((scores == rule.max) & rule.max_inclusive)
    return found


def breaks(rule: Rule, scores: np.ndarray) -> np.ndarray:
    """(N,) bool: there is a score, and it is out of bounds."""
    return ~np.isnan(scores) & ~holds(rule, scores)


def first(hits: np.ndarray, none: int) -> np.ndarray:
    """(N,) the first row of (R, N) that is true; `none` where no row is."""
    found = np.full(hits.shape[1], none)
    for place in reversed(range(len(hits))):
        found[hits[place]] = place
    return found


def survivors(clips: Mapping[str, Mapping[str, float]], rules: Sequence[Rule]) -> list[str]:
    """Ids of the clips of which no score breaks a rule."""
    scores = _columns(clips, rules)
    alive = np.ones(len(clips), bool)
    for rule in rules:
        alive &= ~breaks(rule, scores[rule.metric])
    return [clip_id for clip_id, is_alive in zip(clips, alive.tolist(), strict=True) if is_alive]


def decide_clips(
    clips: Mapping[str, Mapping[str, float]], rules: Sequence[Rule], failed: Mapping[str, set[str]] | None = None
) -> dict[str, Decision | None]:
    """Clip -> its decision; None when a detector (`failed`, by clip) failed on it and nothing else rejects it.

    Raises UsageError when a clip that no rule rejects lacks a score that a rule insists on.
    """
    broken = {
        name: np.array([name in (failed or {}).get(clip_id, ()) for clip_id in clips], bool)
        for name in {rule.metric.partition(".")[0] for rule in rules}
    }
    verdicts = judge(rules, _columns(clips, rules), len(clips), broken)
    places = zip(verdicts.rejected_at.tolist(), verdicts.unmeasured_at.tolist(), verdicts.failed.tolist(), strict=True)
    found: dict[str, Decision | None] = {}
    for number, ((clip_id, scores), (rejected, unmeasured, is_failed)) in enumerate(
        zip(clips.items(), places, strict=True)
    ):
        if rejected < len(rules):
            found[clip_id] = _rejection(rules[rejected], scores)
        elif is_failed:
            found[clip_id] = None
        elif unmeasured < len(rules):
            raise UsageError(missing_score(rules[unmeasured]))
        else:
            over = tuple(rule.name for rule, skips in zip(rules, verdicts.skipped[:, number], strict=True) if skips)
            found[clip_id] = Decision(True, skipped=over)
    return found


def decide(scores: Mapping[str, float], rules: Sequence[Rule], failed: set[str] | None = None) -> Decision | None:
    """`decide_clips` of one clip."""
    return decide_clips({"": scores}, rules, {"": failed or set()})[""]


def _rejection(rule: Rule, scores: Mapping[str, float]) -> Decision:
    score = scores.get(rule.metric)
    what = f"{rule.metric} is missing" if score is None else f"{rule.metric} = {score:.4g}"
    return Decision(False, rule.name, f"{what}, wanted {rule.bound}")


def _columns(clips: Mapping[str, Mapping[str, float]], rules: Sequence[Rule]) -> dict[str, np.ndarray]:
    """Metric of the rules -> (N,) scores, NaN where there is none."""
    names = {rule.metric for rule in rules}
    return {
        name: np.array([scores.get(name, np.nan) for scores in clips.values()], np.float64).reshape(len(clips))
        for name in names
    }
