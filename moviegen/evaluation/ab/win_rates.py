"""Net win rates: what the raters of an item come to, what the items come to, and how sure that is.

The paper's definitions: an item's outcome on an axis is the majority of its raters' answers (video, editing) [S §3.5.3] or the mean of
their +1, 0 and -1 (audio) [S §6.3.1]; the net win rate is the share of items won less the share lost, -100..100 [S §3.5.3]; editing
reports a win rate of 0..100 with 50 a tie [S Table 17]; the interval is that of 1,000 bootstraps over items [S §6.3.1]. Where no answer
has more votes than each other one (1 : 1 : 1, 3 : 3) the item is a tie: our decision, the paper does not say.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from moviegen.evaluation.intervals import LEVEL, RESAMPLES, bootstrap, standard_error, tails, wilson

from .axes import Axis, Rule, Scale

Over = Literal["items", "raters", "both"]
"""What is drawn again and again: other prompts, other people, or other prompts judged by other people."""

Ballots = Mapping[str, Mapping[str, int]]
"""By item, by rater: +1, 0 or -1."""


MIN_ALIKE = 6
"""Items that all went one way by chance less than once in twenty: 2 * 0.5 ** 6 = 0.03."""


@dataclass(frozen=True)
class WinRate:
    """One axis over some items."""

    axis: str
    n: int
    """Items."""
    num_votes: int
    win: float
    """Percent of items: A preferred; of means, the items whose mean is above 0."""
    tie: float
    loss: float
    net: float
    """Net win rate in points, -100..100."""
    value: float
    """On the axis's own scale: net, or the win rate 0..100."""
    low: float
    """Of the interval of `value`; NaN of one item."""
    high: float
    sigma: float
    """Standard error of `value`, in points."""
    verdict: str
    """significant above two sigma, moderate above one, on par below, as the paper words it [S Table 6]; too few, of one item."""


def outcome(values: Sequence[int], rule: Rule) -> float:
    """What an item's votes come to: +1, 0 or -1 by majority, or their mean. Raises ValueError of no votes."""
    if not values:
        raise ValueError("an item without votes has no outcome")
    if rule == "mean":
        return sum(values) / len(values)
    counts = [sum(value == kind for value in values) for kind in (1, 0, -1)]
    best = max(counts)
    return (1.0, 0.0, -1.0)[counts.index(best)] if counts.count(best) == 1 else 0.0


def outcomes(ballots: Ballots, rule: Rule) -> np.ndarray:
    """(n,) outcomes of items, in the order of their ids."""
    return np.array([outcome(list(ballots[item].values()), rule) for item in sorted(ballots)], np.float64)


def on_scale(net: float, scale: Scale) -> float:
    """A net win rate on its axis's scale; ties count half in a win rate."""
    return net if scale == "net" else 50.0 + net / 2


def win_rate(
    axis: Axis,
    ballots: Ballots,
    *,
    over: Over = "items",
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> WinRate:
    """The win rate of A on an axis. Raises ValueError of no items."""
    values = outcomes(ballots, axis.rule)
    if not len(values):
        raise ValueError(f"{axis.name}: no item has a vote")
    net = 100.0 * float(values.mean())
    low, high, sigma = _spread(axis, ballots, values, over, level, resamples, seed)
    shares = [
        100.0 * float(np.mean(values > 0)),
        100.0 * float(np.mean(values == 0)),
        100.0 * float(np.mean(values < 0)),
    ]
    half = 1.0 if axis.scale == "net" else 0.5
    return WinRate(
        axis.name, len(values), sum(map(len, ballots.values())), *shares, net, on_scale(net, axis.scale),
        on_scale(low, axis.scale), on_scale(high, axis.scale), sigma * half, verdict_of(net, sigma, len(values)),
    )  # fmt: skip


def verdict_of(net: float, sigma: float, n: int) -> str:
    """The paper's words for a difference of so many sigma [S Table 6]. Items that all came out alike have no sigma: from six of them on
    a sign test is below 5 %."""
    if math.isnan(sigma) or (sigma == 0 and n < MIN_ALIKE):
        return "too few"
    if sigma == 0:
        return "significant" if net else "on par"
    size = abs(net) / sigma
    return "significant" if size > 2 else "moderate" if size >= 1 else "on par"


def _spread(
    axis: Axis, ballots: Ballots, values: np.ndarray, over: Over, level: float, resamples: int, seed: int
) -> tuple[float, float, float]:
    """(low, high, sigma) of the net win rate."""
    if over == "items":
        if len(values) > 1 and np.ptp(values) == 0:
            return *_alike(float(values[0]), len(values), level), 0.0
        interval = bootstrap(values, level=level, resamples=resamples, seed=seed)
        return 100 * interval.low, 100 * interval.high, 100 * standard_error(values)
    table = vote_table(ballots)
    drawn = 100 * _replicates(table, axis.rule, over, resamples, seed)
    drawn = drawn[np.isfinite(drawn)]
    units = len(values) if over == "both" else table.shape[1]
    if units < 2 or len(drawn) < 2:
        return math.nan, math.nan, math.nan
    low, high = np.quantile(drawn, tails(units, level))
    return float(low), float(high), float(drawn.std(ddof=1)) * math.sqrt(units / (units - 1))


def _alike(value: float, n: int, level: float) -> tuple[float, float]:
    """Ends of the interval where all n items came out alike, of which a bootstrap says nothing: as many others as Wilson's interval
    allows may yet be farthest from it."""
    others = 1 - wilson(n, n, level).low
    return 100 * (value - others * (value + 1)), 100 * (value + others * (1 - value))


def vote_table(ballots: Ballots) -> np.ndarray:
    """(items, raters) of +1, 0, -1, NaN where a rater has not judged an item."""
    raters = sorted({rater for votes in ballots.values() for rater in votes})
    places = {rater: column for column, rater in enumerate(raters)}
    table = np.full((len(ballots), len(raters)), np.nan)
    for row, item in enumerate(sorted(ballots)):
        for rater, value in ballots[item].items():
            table[row, places[rater]] = value
    return table


def _replicates(table: np.ndarray, rule: Rule, over: Over, resamples: int, seed: int) -> np.ndarray:
    """(R,) mean outcomes of resampled raters, or of resampled items each judged by resampled raters of its own."""
    generator = np.random.default_rng(seed)
    return np.array([_replicate(generator, table, rule, over) for _ in range(resamples)])


def _replicate(generator: np.random.Generator, table: np.ndarray, rule: Rule, over: Over) -> float:
    num_items, num_raters = table.shape
    if over == "raters":
        weights = np.bincount(generator.integers(num_raters, size=num_raters), minlength=num_raters)
        counts = _counts(table, np.broadcast_to(weights, table.shape))
    else:
        rows = table[generator.integers(num_items, size=num_items)]
        counts = _counts(rows, _own_weights(generator, rows))
    seen = counts.sum(1) > 0
    return float(_outcomes_of_counts(counts[seen], rule).mean()) if seen.any() else math.nan


def _own_weights(generator: np.random.Generator, table: np.ndarray) -> np.ndarray:
    """How often each rater of an item is drawn, as many draws an item as it has raters."""
    is_there = np.isfinite(table)
    num = is_there.sum(1)
    weights = np.zeros(table.shape)
    places = np.argsort(~is_there, axis=1, kind="stable")  # an item's own raters first
    for turn in range(int(num.max(initial=0))):
        rows = np.flatnonzero(num > turn)
        picks = (generator.random(len(rows)) * num[rows]).astype(np.int64)
        np.add.at(weights, (rows, places[rows, picks]), 1)
    return weights


def _counts(table: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(items, 3) weighted votes for A, tie, B."""
    return np.stack([np.where(table == kind, weights, 0).sum(1) for kind in (1, 0, -1)], axis=1)


def _outcomes_of_counts(counts: np.ndarray, rule: Rule) -> np.ndarray:
    if rule == "mean":
        return (counts[:, 0] - counts[:, 2]) / counts.sum(1)
    best = counts.max(1)
    alone = (counts == best[:, None]).sum(1) == 1
    return np.where(alone & (counts[:, 0] == best), 1.0, np.where(alone & (counts[:, 2] == best), -1.0, 0.0))
