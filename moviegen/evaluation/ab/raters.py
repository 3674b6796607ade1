"""What each rater of a study did: leanings, ties, attention checks, pairs shown twice."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from .votes import Vote


@dataclass(frozen=True)
class RaterRow:
    """What one rater did."""

    rater: str
    num_votes: int
    left_share: float
    """Of the votes that are no tie; a half is expected."""
    tie_share: float
    checks_passed: int
    num_checks: int
    repeats_same: int
    """Answers that came out alike when the pair was shown again, sides swapped."""
    num_repeats: int
    seconds: float
    """Median over pairs; NaN when unknown."""
    is_left_out: bool


def rater_rows(votes: Sequence[Vote], min_checks: float) -> Iterator[RaterRow]:
    """One row a rater, by the numbers of their sheets; left out is who passes a smaller share of checks than `min_checks`."""
    by_rater: dict[str, list[Vote]] = defaultdict(list)
    for vote in votes:
        by_rater[vote.rater].append(vote)
    for rater, own in sorted(by_rater.items(), key=lambda row: (int(row[0].partition(":")[0]), row[0])):
        usual = [vote for vote in own if vote.kind == "vote"]
        decided = [vote for vote in usual if vote.answer != "tie"]
        checks = _passed_checks(own)
        first = {(vote.item, vote.axis): vote.value for vote in usual}
        again = [first.get((vote.item, vote.axis)) == vote.value for vote in own if vote.kind == "repeat"]
        times = list({vote.item: vote.seconds for vote in usual if vote.seconds is not None}.values())
        yield RaterRow(
            rater, len(usual), _share(decided, "left"), _share(usual, "tie"), sum(checks), len(checks), sum(again), len(again),
            median(times) if times else math.nan, bool(checks) and sum(checks) < min_checks * len(checks),
        )  # fmt: skip


def _share(votes: Sequence[Vote], answer: str) -> float:
    return sum(vote.answer == answer for vote in votes) / len(votes) if votes else math.nan


def _passed_checks(votes: Sequence[Vote]) -> list[bool]:
    """A check is passed when more of its axes went to the clean side than to the spoilt one."""
    sums: dict[str, int] = defaultdict(int)
    for vote in votes:
        if vote.kind == "check":
            sums[vote.item] += vote.value
    return [total > 0 for total in sums.values()]
