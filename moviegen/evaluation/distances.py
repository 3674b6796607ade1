"""How far two sets of features are apart: Frechet distance (FID, FVD, FAD) and unbiased MMD (KID, KVD, KAD), in float64.

Frechet's is of two normal distributions fitted to n items of D numbers each; of few items it is far too large (two samples of one
distribution, D = 400, are 1481 apart at n = 64 and 82 at n = 2048), so n stands beside it, and `frechet_interval` gives it without most of
that. MMD has no such bias. Intervals are by a jackknife that leaves out one group of items at a time: a bootstrap would draw items twice,
which these distances take for a change of distribution. Rows of one item (frames of one clip) are alike: `items` says which belong
together, so that they are left out together, and no pair of them counts in the MMD.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from moviegen.evaluation.intervals import LEVEL, Interval

GROUPS = 20
"""Groups of items left out in turn: our decision; each costs one distance."""

ITEMS_A_NUMBER = 2
"""Items wanted for each of the D numbers of a feature before a Frechet distance is given: our decision."""

Kernel = Literal["polynomial", "gaussian"]

Items = tuple[np.ndarray, np.ndarray]
"""Of each row of a and of b the number of its item, from 0; every row is one of its own where none is given."""


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution fitted to features."""

    n: int
    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> "Gaussian":
        """Of (n, D), n at least 2, unbiased. Raises ValueError."""
        values = _checked(features)
        return cls(len(values), values.mean(0), np.atleast_2d(np.cov(values, rowvar=False)))


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Squared Frechet distance of the normal distributions of two sets of features, (n, D) and (m, D)."""
    return frechet_of(Gaussian.of(a), Gaussian.of(b))


def frechet_of(a: Gaussian, b: Gaussian) -> float:
    """|mean_a - mean_b|^2 + tr(S_a + S_b - 2 (S_a^1/2 S_b S_a^1/2)^1/2), by symmetric eigenvalues alone: no matrix square root, which
    may come out complex or fail to converge."""
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"features of {len(a.mean)} and of {len(b.mean)} numbers: they are of two networks")
    root = _root(a.covariance)
    inner = root @ b.covariance @ root
    eigenvalues = np.linalg.eigvalsh((inner + inner.T) / 2)
    cross = float(np.sqrt(np.maximum(eigenvalues, 0)).sum())
    apart = float(np.square(a.mean - b.mean).sum())
    return max(apart + float(np.trace(a.covariance) + np.trace(b.covariance)) - 2 * cross, 0.0)


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def frechet_interval(
    a: np.ndarray, b: np.ndarray, level: float = LEVEL, items: Items | None = None
) -> tuple[float, Interval]:
    """(the distance as the literature gives it, the distance without its bias in n, with its interval)."""
    first, second = _checked(a), _checked(b)
    raw = frechet(first, second)
    rows = _items_of(first, second, items)
    return raw, jackknife(lambda keep_a, keep_b: frechet(first[keep_a], second[keep_b]), *rows, level, raw)


def mmd(
    a: np.ndarray,
    b: np.ndarray,
    kernel: Kernel = "polynomial",
    bandwidth: float | None = None,
    items: Items | None = None,
) -> float:
    """Unbiased squared maximum mean discrepancy; it may be a little below 0.

    `bandwidth` is the Gaussian kernel's; None: `median_distance`.
    """
    first, second = _checked(a), _checked(b)
    return _mmd_of(_kernel_sums(first, second, kernel, bandwidth, 1, _items_of(first, second, items)))


def mmd_interval(
    a: np.ndarray,
    b: np.ndarray,
    kernel: Kernel = "polynomial",
    bandwidth: float | None = None,
    level: float = LEVEL,
    items: Items | None = None,
) -> Interval:
    """The unbiased MMD with its interval."""
    first, second = _checked(a), _checked(b)
    rows = _items_of(first, second, items)
    n, m = (int(part.max()) + 1 for part in rows)
    groups = min(GROUPS, n, m)
    if groups < 3:
        return Interval(mmd(first, second, kernel, bandwidth, rows), math.nan, math.nan, n, level)
    sums = _kernel_sums(first, second, kernel, bandwidth, groups, rows)
    found = _mmd_of(sums)
    left = [_mmd_of(sums.without(group)) for group in range(groups)]
    return _interval(found, np.array(left), n, level, is_corrected=False)


def median_distance(features: np.ndarray) -> float:
    """Median distance between items of (n, D): the Gaussian kernel's bandwidth, as KAD has it; over the first 1,000 items."""
    values = _checked(features)[:1000]
    squared = _squared_distances(values, values)[np.triu_indices(len(values), 1)]
    return float(np.sqrt(np.median(squared))) or 1.0


def jackknife(
    distance: Callable[[np.ndarray, np.ndarray], float],
    items_a: np.ndarray,
    items_b: np.ndarray,
    level: float,
    value: float,
) -> Interval:
    """`value` without its bias of order 1 / n, and its interval, from the distances with each group of items left out."""
    n, m = int(items_a.max()) + 1, int(items_b.max()) + 1
    groups = min(GROUPS, n // 2, m // 2)
    if groups < 3:
        return Interval(value, math.nan, math.nan, n, level)
    first, second = items_a % groups, items_b % groups
    left = np.array([distance(first != group, second != group) for group in range(groups)])
    return _interval(value, left, n, level, is_corrected=True)


def _interval(value: float, left: np.ndarray, n: int, level: float, *, is_corrected: bool) -> Interval:
    """Tukey's pseudo-values: their mean, and Student's interval of it."""
    from scipy.special import stdtrit

    groups = len(left)
    pseudo = groups * value - (groups - 1) * left
    middle = float(pseudo.mean()) if is_corrected else value
    half = float(stdtrit(groups - 1, (1 + level) / 2) * pseudo.std(ddof=1) / math.sqrt(groups))
    return Interval(middle, middle - half, middle + half, n, level)


@dataclass(frozen=True)
class _Sums:
    """Sums of the kernel over pairs of groups: within a (without pairs of one item), within b, and between."""

    aa: np.ndarray
    bb: np.ndarray
    ab: np.ndarray
    size_a: np.ndarray
    """Rows of each group."""
    size_b: np.ndarray
    own_a: np.ndarray
    """Pairs of rows of one item in each group, of a row and itself among them."""
    own_b: np.ndarray

    def without(self, group: int) -> "_Sums":
        keep = np.arange(len(self.size_a)) != group
        parts = (matrix[np.ix_(keep, keep)] for matrix in (self.aa, self.bb, self.ab))
        return _Sums(*parts, *(counts[keep] for counts in (self.size_a, self.size_b, self.own_a, self.own_b)))


def _mmd_of(sums: _Sums) -> float:
    n, m = int(sums.size_a.sum()), int(sums.size_b.sum())
    pairs_a, pairs_b = n * n - int(sums.own_a.sum()), m * m - int(sums.own_b.sum())
    return float(sums.aa.sum() / pairs_a + sums.bb.sum() / pairs_b - 2 * sums.ab.sum() / (n * m))


def _kernel_sums(
    a: np.ndarray, b: np.ndarray, kernel: Kernel, bandwidth: float | None, groups: int, items: Items
) -> _Sums:
    width = (bandwidth or median_distance(b)) if kernel == "gaussian" else 1.0
    sets = [
        [(rows[own % groups == g], own[own % groups == g]) for g in range(groups)]
        for rows, own in zip((a, b), items, strict=True)
    ]

    def sums(first: list, second: list, is_same: bool) -> np.ndarray:
        out = np.zeros((groups, groups))
        for i, (x, item_x) in enumerate(first):
            for j, (y, item_y) in enumerate(second):
                values = _kernel(x, y, kernel, width)
                out[i, j] = values.sum()
                if is_same and i == j:
                    out[i, j] -= values[item_x[:, None] == item_y].sum()
        return out

    sizes = [np.array([len(rows) for rows, _ in part]) for part in sets]
    own = [np.array([int(np.square(np.bincount(item)).sum()) for _, item in part]) for part in sets]
    return _Sums(sums(sets[0], sets[0], True), sums(sets[1], sets[1], True), sums(*sets, False), *sizes, *own)


def _items_of(a: np.ndarray, b: np.ndarray, items: Items | None) -> Items:
    return items or (np.arange(len(a)), np.arange(len(b)))


def _kernel(x: np.ndarray, y: np.ndarray, kernel: Kernel, bandwidth: float) -> np.ndarray:
    """Cubic as KID has it, or Gaussian."""
    if kernel == "polynomial":
        return (x @ y.T / x.shape[1] + 1) ** 3
    return np.exp(-_squared_distances(x, y) / (2 * bandwidth**2))


def _squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    squared = np.square(x).sum(1)[:, None] + np.square(y).sum(1)[None] - 2 * x @ y.T
    return np.maximum(squared, 0)


def _checked(features: np.ndarray) -> np.ndarray:
    values = np.asarray(features, np.float64)
    if values.ndim != 2 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"features of shape {values.shape}; wanted (n, D) finite numbers, n at least 2")
    return values
