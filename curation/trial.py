"""Other rules tried on the scores there are: how many clips each would take, how many would be left, and how sure that is.

A clip that a cheap rule rejected was not shown to costly detectors, so other rules may ask for a score it does not have. What they would
say of it is estimated from the explored clips: those that were measured although the same cheap rules rejected them, chosen by a hash of
their ids (`score.explore_fraction`). Without them it is unknown, and said to be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from curation.filters import Rule
from curation.verdicts import breaks, holds, judge


@dataclass(frozen=True)
class Step:
    """A rule of the funnel."""

    name: str
    bound: str
    num_rejected: int
    """Clips whose reason this rule is, as `filter` gives them: `Verdicts.rejected_at`."""
    num_unmeasured: int
    """Clips that no rule rejects and that this rule, as the first, finds without the score it insists on."""
    num_skipped: int
    """Kept clips without its score: the rule lets them pass (`if_missing: keep`)."""
    num_left: int
    hours_left: float


@dataclass(frozen=True)
class Estimate:
    """What would become of the clips that lack a score, by the explored clips like them."""

    num_unmeasured: int
    """Clips that no score of theirs rejects and that lack one."""
    num_compared: int
    """Explored clips that the same scores neither reject: what the estimate rests on."""
    num_kept: float | None
    """Clips of them that would be kept; None where a part has no explored clip to compare."""
    error: float
    """Standard error of that number."""
    num_unknown: int
    """Clips among the unmeasured that no explored clip is like: in no number above."""
    num_unexplored: int = 0
    """Those of them that a present rule rejects, so that exploring more would tell; on the others no detector was run, or it failed."""


@dataclass(frozen=True)
class Trial:
    """The funnel of some rules."""

    steps: tuple[Step, ...]
    num_clips: int
    hours: float
    kept: np.ndarray
    """(N,) bool: every rule holds by scores that are there."""
    estimate: Estimate
    lacking: dict[str, int]
    """Metric -> clips of the lake without it, for each metric of the rules."""


MAX_BITS = 62
"""Metrics and present rules together: a clip's are the bits of one number."""


def try_rules(
    rules: Sequence[Rule],
    scores: Mapping[str, np.ndarray],
    seconds: np.ndarray,
    present: Sequence[Rule],
    failed: Mapping[str, np.ndarray] | None = None,
) -> Trial:
    """The funnel of `rules` over clips with these scores, NaN where there is none; (N,) each.

    `present` are the rules by which clips were, or were not, shown to costly detectors; `failed` says on which a detector failed.
    """
    verdicts = judge(rules, scores, len(seconds), failed)
    gone_at = np.minimum(verdicts.rejected_at, verdicts.unmeasured_at)
    steps = []
    for place, rule in enumerate(rules):
        left = gone_at > place
        numbers = (verdicts.rejected_at == place, verdicts.unmeasured_at == place, verdicts.skipped[place], left)
        rejected, unmeasured, skipped, num_left = (int(np.count_nonzero(each)) for each in numbers)
        hours = float(seconds[left].sum()) / 3600
        steps.append(Step(rule.name, rule.bound, rejected, unmeasured, skipped, num_left, hours))
    estimate = _estimate(rules, scores, verdicts.unmeasured_at < len(rules), present)
    lacking = {rule.metric: int(np.isnan(scores[rule.metric]).sum()) for rule in rules}
    return Trial(tuple(steps), len(seconds), float(seconds.sum()) / 3600, verdicts.kept, estimate, lacking)


def _estimate(
    rules: Sequence[Rule], scores: Mapping[str, np.ndarray], unmeasured: np.ndarray, present: Sequence[Rule]
) -> Estimate:
    """Clips with the same metrics measured, rejected by the same present rules, are a group. To each are compared the clips with every
    score that those rules reject, and no other rule about the same metrics: had they not been explored, they would be in the group."""
    present = [rule for rule in present if rule.metric in scores]
    metrics = list(dict.fromkeys(rule.metric for rule in (*rules, *present)))
    needed = [scores[rule.metric] for rule in rules if rule.if_missing == "error"]
    rejecting = _bits([breaks(rule, scores[rule.metric]) for rule in present], unmeasured)
    measured = _bits([~np.isnan(scores[metric]) for metric in metrics], unmeasured)
    compared = ~np.isnan(needed).any(axis=0) & (rejecting != 0) if needed else np.zeros(len(unmeasured), bool)
    likely = {metric: scores[metric][compared] for metric in metrics}
    fails = rejecting[compared]
    kept, variance, num_compared, num_unknown, num_unexplored = 0.0, 0.0, 0, 0, 0
    for pattern, rejected_by, members in _pairs(measured[unmeasured], rejecting[unmeasured], len(present)):
        known = {metric for place, metric in enumerate(metrics) if pattern >> place & 1}
        asked = sum(1 << place for place, rule in enumerate(present) if rule.metric in known)
        alike = (fails & asked) == rejected_by if rejected_by else np.zeros(len(fails), bool)
        alike &= _all_hold([rule for rule in rules if rule.metric in known], likely, len(fails))
        number = int(alike.sum())
        if not number:
            num_unknown += members
            num_unexplored += members * bool(rejected_by)
            continue
        passing = int((alike & _all_hold(rules, likely, len(fails))).sum())
        kept += members * passing / number
        share = (passing + 1) / (number + 2)  # of few clips none or all may pass: that is not certainty
        variance += members**2 * share * (1 - share) / number
        num_compared += number
    total = int(unmeasured.sum())
    is_known = num_unknown < total or not total
    return Estimate(total, num_compared, kept if is_known else None, variance**0.5, num_unknown, num_unexplored)


def _pairs(first: np.ndarray, second: np.ndarray, num_bits: int) -> list[tuple[int, int, int]]:
    """(a, b, how often) of each pair that occurs of a number and one of `num_bits` bits: as one number, which is sorted quickly."""
    values, counts = np.unique((first << num_bits) | second, return_counts=True)
    mask = (1 << num_bits) - 1
    return [
        (value >> num_bits, value & mask, count) for value, count in zip(values.tolist(), counts.tolist(), strict=True)
    ]


def _bits(rows: Sequence[np.ndarray], like: np.ndarray) -> np.ndarray:
    """(N,) int64 with a bit a row of (N,) bools."""
    found = np.zeros(len(like), np.int64)
    for place, row in enumerate(rows):
        found |= row.astype(np.int64) << place
    return found


def _all_hold(rules: Sequence[Rule], scores: Mapping[str, np.ndarray], num: int) -> np.ndarray:
    """(N,) bool: every rule holds, or lets pass what has no score."""
    found = np.ones(num, bool)
    for rule in rules:
        found &= holds(rule, scores[rule.metric]) | (np.isnan(scores[rule.metric]) & (rule.if_missing == "keep"))
    return found
