"""What to know of a study's votes before believing its win rates."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from moviegen.evaluation.intervals import wilson

from .axes import Axis, Scale
from .key import Key
from .power import USUAL, items_for
from .raters import RaterRow
from .votes import Vote, Votes
from .win_rates import Ballots, WinRate

WANTED_HALF_WIDTH = 5.0
"""Points: a wider interval is warned of, with the items it would take. Our decision."""

FEW_ITEMS = 20
"""A group of fewer items is marked: its interval is more word than number. Our decision."""


def warnings_of(
    key: Key, read: Votes, raters: Sequence[RaterRow], ballots: dict[str, dict], overall: Sequence[WinRate]
) -> Iterator[str]:
    """One line a doubt: votes that are missing, intervals that are wide, sheets without votes, sides preferred, bad rows."""
    yield from _by_axes((axis.name, words) for axis in key.axes for words in _missing(key, axis, ballots[axis.name]))
    scale = {axis.name: axis.scale for axis in key.axes}
    yield from _by_axes((rate.axis, words) for rate in overall for words in _too_few(rate, scale[rate.axis]))
    sheets = {row.rater.partition(":")[0] for row in raters}
    if missing := [str(n) for n in range(1, key.num_raters + 1) if str(n) not in sheets]:
        yield f"no votes of sheet{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
    yield from _side_bias(read.votes)
    if out := [row.rater for row in raters if row.is_left_out]:
        yield f"left out for failed attention checks: {', '.join(out)}"
    if read.num_duplicates or read.num_changed:
        yield f"{read.num_duplicates} votes stood twice, {read.num_changed} were given again otherwise: the latest counts"
    if read.bad:
        rows = "; ".join(f"{row.file}{f' row {row.row}' if row.row else ''}: {row.reason}" for row in read.bad[:3])
        yield f"{len(read.bad)} files or rows of votes are not counted: {rows}{'; ...' if len(read.bad) > 3 else ''}"


def _by_axes(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """One line a text, with the axes that it is of in front."""
    axes: dict[str, list[str]] = defaultdict(list)
    for axis, words in rows:
        axes[words].append(axis)
    for words, names in axes.items():
        yield f"{', '.join(names)}: {words}"


def _missing(key: Key, axis: Axis, items: Ballots) -> Iterator[str]:
    num_items = sum(not item.is_check for item in key.items.values())
    if len(items) < num_items:
        yield f"{num_items - len(items)} of {num_items} items have no vote that counts"
    if short := sum(len(votes) < axis.num_raters for votes in items.values()):
        yield f"{short} items have fewer than {axis.num_raters} raters"
    if many := sum(len(votes) > axis.num_raters for votes in items.values()):
        yield f"{many} items have more than {axis.num_raters} raters: a sheet was answered by two people"


def _too_few(rate: WinRate, scale: Scale) -> Iterator[str]:
    half = (rate.high - rate.low) / 2 * (1 if scale == "net" else 2)
    if math.isnan(half):
        yield f"{rate.n} item says nothing of how sure it is"
    elif rate.sigma == 0:
        yield f"all {rate.n} items came out alike; a bootstrap of them says nothing, the interval is Wilson's"
    elif half > WANTED_HALF_WIDTH:
        shares = USUAL if rate.n < FEW_ITEMS else (rate.win / 100, rate.loss / 100)
        needed = items_for(WANTED_HALF_WIDTH, *shares)
        yield f"too few items for a net win rate within 5 points: {rate.n}, it takes about {math.ceil(needed / 50) * 50:,}"


def _side_bias(votes: Sequence[Vote]) -> Iterator[str]:
    decided = [vote for vote in votes if vote.kind == "vote" and vote.answer != "tie"]
    if decided:
        left = wilson(sum(vote.answer == "left" for vote in decided), len(decided))
        if not left.low <= 0.5 <= left.high:
            yield f"raters lean to one side: {100 * left.value:.0f} % of the {len(decided)} decided votes are for the left"
