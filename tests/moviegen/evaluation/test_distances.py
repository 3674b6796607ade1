"""Frechet distance and MMD beside scipy's square root, formulas on known normals, and each other."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from moviegen.evaluation.distances import (
    Gaussian,
    frechet,
    frechet_interval,
    frechet_of,
    median_distance,
    mmd,
    mmd_interval,
)  # fmt: skip


def two_sets(n: int = 300, d: int = 12, apart: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(d, d))
    return generator.normal(size=(n, d)) @ mixing, (generator.normal(size=(n, d)) + apart) @ mixing * 1.2


def by_square_root(a: np.ndarray, b: np.ndarray) -> float:
    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(s + t - 2 * np.real(sqrtm(s @ t))))


def by_eigenvalues(a: np.ndarray, b: np.ndarray) -> float:
    """As torchmetrics does it: eigenvalues of the product."""
    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    return float(
        np.square(a.mean(0) - b.mean(0)).sum()
        + np.trace(s + t)
        - 2 * np.sqrt(np.linalg.eigvals(s @ t).astype(complex)).real.sum()
    )


@pytest.mark.parametrize(("n", "d"), [(300, 12), (2000, 64)])
def test_two_other_ways_agree(n, d):
    a, b = two_sets(n, d)
    assert frechet(a, b) == pytest.approx(by_square_root(a, b), rel=1e-4)
    assert frechet(a, b) == pytest.approx(by_eigenvalues(a, b), rel=1e-4)


def test_fewer_items_than_numbers_are_no_failure():
    a, b = two_sets(20, 64)
    assert frechet(a, b) == pytest.approx(by_eigenvalues(a, b), rel=1e-4)


def test_known_normals():
    a = Gaussian(9, np.zeros(2), np.diag([1.0, 4.0]))
    b = Gaussian(9, np.array([3.0, 4.0]), np.diag([9.0, 4.0]))
    assert frechet_of(a, b) == pytest.approx(25 + (1 - 3) ** 2)


def test_a_set_is_nothing_apart_from_itself_in_any_order():
    a, b = two_sets()
    shuffled = np.random.default_rng(1).permutation(a)
    assert frechet(a, shuffled) < 1e-3
    assert frechet(a, b) == pytest.approx(frechet(shuffled, b), rel=1e-9)
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-9)


def test_the_unbiased_distance_of_one_distribution_is_about_0():
    generator = np.random.default_rng(0)
    found = [frechet_interval(*generator.normal(size=(2, 200, 8))) for _ in range(40)]
    raw, corrected = np.array([raw for raw, _ in found]), np.array([interval.value for _, interval in found])
    assert raw.mean() > 0.2
    assert abs(corrected.mean()) < 3 * corrected.std() / np.sqrt(len(corrected))
    assert np.mean([interval.low < 0 < interval.high for _, interval in found]) > 0.85


def test_mmd_is_the_mean_over_pairs():
    a, b = two_sets(30, 5)
    total = 0.0
    for x, y, sign in ((a, a, 1), (b, b, 1), (a, b, -2)):
        kernel = (x @ y.T / 5 + 1) ** 3
        total += (kernel.sum() - np.trace(kernel)) / (30 * 29) if sign == 1 else -2 * kernel.mean()
    assert mmd(a, b) == pytest.approx(total, rel=1e-9)
    assert mmd_interval(a, b).value == pytest.approx(total, rel=1e-9)


def test_mmd_has_no_bias_where_frechet_has():
    generator = np.random.default_rng(0)
    found = [
        mmd(*generator.normal(size=(2, 40, 8)), kernel=kernel)
        for _ in range(200)
        for kernel in ("polynomial", "gaussian")
    ]
    for values in (np.array(found[::2]), np.array(found[1::2])):
        assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))


def test_the_gaussian_kernel_knows_its_bandwidth():
    a, b = two_sets(60, 5)
    assert mmd(a, b, "gaussian") == pytest.approx(mmd(a, b, "gaussian", median_distance(b)))
    assert mmd(a, b, "gaussian") > mmd(a, a[::-1], "gaussian")


@pytest.mark.parametrize("features", [np.zeros((1, 3)), np.full((4, 3), np.nan), np.zeros(5)])
def test_what_is_no_set_of_features(features):
    with pytest.raises(ValueError, match="finite numbers, n at least 2"):
        frechet(features, np.ones((4, 3)))


def test_frames_of_one_clip_are_no_clips_of_their_own():
    """Each item four times, all but alike: of n items the interval must be about as wide as of the n alone, and the MMD stay without
    bias. Taken for 4 n items it would be half as wide, and pairs of a clip's own frames would count as likeness."""
    generator = np.random.default_rng(3)
    a, b = generator.normal(size=(2, 60, 6))
    rows = np.repeat(np.arange(60), 4)
    many = [part[rows] + generator.normal(scale=1e-3, size=(240, 6)) for part in (a, b)]
    alone, right, wrong = mmd_interval(a, b), mmd_interval(*many, items=(rows, rows)), mmd_interval(*many)
    assert right.value == pytest.approx(alone.value, abs=2e-3)
    assert right.high - right.low == pytest.approx(alone.high - alone.low, rel=0.02)
    assert wrong.value > right.value + 0.01
    assert (right.n, wrong.n) == (60, 240)
    frechets = [frechet_interval(a, b)[1], frechet_interval(*many, items=(rows, rows))[1], frechet_interval(*many)[1]]
    widths = [found.high - found.low for found in frechets]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    assert widths[2] < 0.8 * widths[0]
