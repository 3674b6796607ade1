"""How sure a number is: Wilson's interval of a share, the bootstrap of a mean or any statistic, a difference of pairs.

float64 throughout; the same values and seed give the same bits. `n` items, `R` resamples. The paper gives 95 % intervals of 1,000
bootstraps over items [S §6.3.1]. A percentile interval of few items is too short, as if its spread had n and not n - 1 degrees of
freedom; it is widened here as Hesterberg proposes (2015, "expanded percentile"), which of 100 items adds 2 % to its length.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

LEVEL = 0.95
RESAMPLES = 1000
"""Bootstraps over items [S §6.3.1]."""

_CHUNK = 1 << 22
"""Indices drawn at once: 32 MB, whatever n is."""

Statistic = Callable[[np.ndarray], float]
"""Items (n, ...) -> a number."""


@dataclass(frozen=True)
class Interval:
    """A value and where the truth lies with probability `level`; the ends are NaN where one item says nothing of its spread."""

    value: float
    low: float
    high: float
    n: int
    """Items that it is of."""
    level: float = LEVEL


@dataclass(frozen=True)
class Difference:
    """Mean of b - a over pairs."""

    value: float
    low: float
    high: float
    n: int
    """Pairs."""
    p_value: float
    """Two-sided, of a difference at least as large if each pair's sign were a toss."""
    level: float = LEVEL

    @property
    def is_significant(self) -> bool:
        """Is the chance below 1 - level, and 0 outside the interval?"""
        return self.p_value < 1 - self.level and not self.low <= 0 <= self.high


def wilson(successes: float, n: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval of a share. Raises ValueError unless 0 <= successes <= n and n > 0."""
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"wilson: {successes} successes of {n}; wanted 0 <= successes <= n, and n of at least 1")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == n else min(1.0, middle + half)
    return Interval(share, low, high, n, level)


def bootstrap(
    values: Sequence[float] | np.ndarray,
    statistic: Statistic | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
    expand: bool = True,
) -> Interval:
    """The interval of a statistic (None: the mean) of items (n, ...), by resampling items.

    `expand` False is the plain percentile interval, as the paper's. Raises ValueError on no items or on NaN.
    """
    items = _checked(values, "bootstrap")
    n = len(items)
    value = float(items.mean()) if statistic is None else float(statistic(items))
    if n < 2:
        return Interval(value, math.nan, math.nan, n, level)
    drawn = replicates(items, statistic, resamples=resamples, seed=seed)
    low, high = np.quantile(drawn, tails(n, level) if expand else ((1 - level) / 2, (1 + level) / 2))
    return Interval(value, float(low), float(high), n, level)


def replicates(
    values: Sequence[float] | np.ndarray,
    statistic: Statistic | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """(R,) the statistic of each resample of the items."""
    items = _checked(values, "replicates")
    parts = []
    for rows in resampled_indices(len(items), resamples, seed):
        if statistic is None and items.ndim == 1:
            parts.append(items[rows].mean(1))
        else:
            parts.append(np.array([float((statistic or np.mean)(items[row])) for row in rows]))
    return np.concatenate(parts)


def resampled_indices(n: int, resamples: int = RESAMPLES, seed: int = 0) -> Iterator[np.ndarray]:
    """Rows of n indices drawn with replacement, (some, n) at a time, R rows in all."""
    generator = np.random.default_rng(seed)
    step = max(1, _CHUNK // n)
    for start in range(0, resamples, step):
        yield generator.integers(n, size=(min(step, resamples - start), n))


def two_stage_bootstrap(
    groups: Sequence[Sequence[float]],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
    expand: bool = True,
) -> Interval:
    """The interval of the mean of the groups' means (items of several raters), resampling groups and then the members of each."""
    if not groups or any(len(group) == 0 for group in groups):
        raise ValueError("two_stage_bootstrap: no groups, or one without members")
    n = len(groups)
    means = np.array([np.mean(np.asarray(group, np.float64)) for group in groups])
    if n < 2:
        return Interval(float(means.mean()), math.nan, math.nan, n, level)
    sizes = np.array([len(group) for group in groups])
    members = np.zeros((n, sizes.max()))
    for row, group in zip(members, groups, strict=True):
        row[: len(group)] = group
    generator = np.random.default_rng(seed)
    drawn = np.array([_two_stage(generator, members, sizes) for _ in range(resamples)])
    low, high = np.quantile(drawn, tails(n, level) if expand else ((1 - level) / 2, (1 + level) / 2))
    return Interval(float(means.mean()), float(low), float(high), n, level)


def _two_stage(generator: np.random.Generator, members: np.ndarray, sizes: np.ndarray) -> float:
    rows = generator.integers(len(members), size=len(members))
    picks = (generator.random((len(rows), members.shape[1])) * sizes[rows, None]).astype(np.int64)
    values = np.take_along_axis(members[rows], picks, 1)
    is_one = np.arange(members.shape[1]) < sizes[rows, None]
    return float(((values * is_one).sum(1) / sizes[rows]).mean())


def paired_bootstrap(
    a: Sequence[float] | np.ndarray,
    b: Sequence[float] | np.ndarray,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Mean of b - a with its interval, resampling pairs, and the chance of it by flipping the pairs' signs."""
    first, second = _checked(a, "paired_bootstrap"), _checked(b, "paired_bootstrap")
    if first.shape != second.shape:
        raise ValueError(f"paired_bootstrap: {len(first)} values beside {len(second)}; every one needs its pair")
    found = bootstrap(second - first, level=level, resamples=resamples, seed=seed)
    chance = sign_flip_p(second - first, resamples=resamples, seed=seed)
    return Difference(found.value, found.low, found.high, found.n, chance, level)


def sign_flip_p(differences: Sequence[float] | np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """Two-sided p of a mean difference when each sign is a toss; at least 1 / (R + 1), and 1 where all are 0."""
    values = _checked(differences, "sign_flip_p")
    generator = np.random.default_rng(seed)
    observed, hits, step = abs(values.sum()), 0, max(1, _CHUNK // len(values))
    # sums of the same numbers in another order differ by rounding: as large as observed is as large but for that
    least = observed - 1e-12 * np.abs(values).sum()
    for start in range(0, resamples, step):
        signs = generator.integers(2, size=(min(step, resamples - start), len(values))) * 2 - 1
        hits += int((np.abs(signs @ values) >= least).sum())
    return (hits + 1) / (resamples + 1)


def tails(n: int, level: float = LEVEL) -> tuple[float, float]:
    """The quantiles of resamples of n items at which the expanded interval ends."""
    from scipy.special import stdtrit

    z = math.sqrt(n / (n - 1)) * float(stdtrit(n - 1, (1 + level) / 2))
    return NormalDist().cdf(-z), NormalDist().cdf(z)


def standard_error(values: Sequence[float] | np.ndarray) -> float:
    """Standard error of the mean; NaN of one item."""
    items = _checked(values, "standard_error")
    return float(items.std(ddof=1) / math.sqrt(len(items))) if len(items) > 1 else math.nan


def _checked(values: Sequence[float] | np.ndarray, who: str) -> np.ndarray:
    items = np.asarray(values, np.float64)
    if not items.size or not np.isfinite(items).all():
        raise ValueError(
            f"{who}: {items.size} values, of which some are no finite numbers; leave out failed items first"
        )
    return items
