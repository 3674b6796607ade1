"""Intervals: scipy's numbers, their coverage of a known truth, the same bits again."""

import math

import numpy as np
import pytest
from scipy import stats

from moviegen.evaluation.intervals import (
    bootstrap,
    paired_bootstrap,
    replicates,
    sign_flip_p,
    standard_error,
    tails,
    two_stage_bootstrap,
    wilson,
)  # fmt: skip


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (5, 5), (3, 10), (400, 1003)])
def test_wilson_is_scipys(successes, n):
    found, asked = wilson(successes, n), stats.binomtest(successes, n).proportion_ci(0.95, "wilson")
    assert (found.value, found.n) == (successes / n, n)
    assert (found.low, found.high) == pytest.approx((asked.low, asked.high), abs=1e-12)


def test_bootstrap_is_scipys_but_for_chance():
    values = np.random.default_rng(1).gamma(2, size=200)
    found = bootstrap(values, resamples=20_000, expand=False)
    asked = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=2).confidence_interval
    assert (found.low, found.high) == pytest.approx((asked.low, asked.high), abs=0.01)


def test_any_statistic_and_the_mean_agree():
    values = np.random.default_rng(0).normal(size=50)
    assert np.allclose(replicates(values), replicates(values, np.mean), rtol=0, atol=1e-12)


def test_expanded_tails_are_hesterbergs():
    assert tails(20)[0] == pytest.approx(
        0.0159, abs=2e-4
    )  # Hesterberg 2015, table of adjusted quantiles: 0.0159 at n = 20
    assert tails(100_000)[0] == pytest.approx(0.025, abs=1e-4)


@pytest.mark.parametrize("n", [15, 100])
def test_coverage(n):
    generator = np.random.default_rng(3)
    truth = 0.40 - 0.35
    hits = 0
    for study in range(300):
        votes = generator.choice([1.0, 0.0, -1.0], p=[0.40, 0.25, 0.35], size=n)
        found = bootstrap(votes, resamples=400, seed=study)
        hits += found.low <= truth <= found.high
    assert 0.91 <= hits / 300 <= 0.99  # benchmarks/eval_intervals.py holds 1,000 studies to 93-97 %


def test_two_stage_is_wider_where_raters_differ():
    generator = np.random.default_rng(0)
    groups = generator.choice([-1.0, 0.0, 1.0], size=(80, 3)).tolist()
    one, two = bootstrap([np.mean(g) for g in groups]), two_stage_bootstrap(groups)
    assert two.value == pytest.approx(one.value)
    assert two.high - two.low > one.high - one.low
    assert two_stage_bootstrap([[1.0], [1.0, 1.0], [1.0]]).low == 1.0


def test_pairs_see_what_groups_do_not():
    generator = np.random.default_rng(0)
    a = generator.normal(30, 5, 60)
    b = a + 0.3 + generator.normal(0, 0.5, 60)
    found = paired_bootstrap(a, b)
    assert found.is_significant
    assert found.low < found.value < found.high
    assert not paired_bootstrap(a, b[::-1]).is_significant
    assert paired_bootstrap(a, a).p_value == 1.0


def test_sign_flips_are_scipys_permutation_test():
    differences = np.array([0.3, -0.1, 0.5, 0.2, 0.4, -0.2, 0.6, 0.1])
    exact = stats.permutation_test((differences, np.zeros(8)), lambda a, b: np.mean(a - b), permutation_type="samples")
    assert sign_flip_p(differences, resamples=20_000) == pytest.approx(exact.pvalue, abs=0.01)


def test_same_seed_same_bits():
    values = np.random.default_rng(0).normal(size=33)
    assert bootstrap(values, seed=4) == bootstrap(values, seed=4) != bootstrap(values, seed=5)


def test_one_item_says_nothing_of_its_spread():
    assert math.isnan(bootstrap([2.0]).low)
    assert math.isnan(standard_error([2.0]))
    for bad in ([], [1.0, math.nan]):
        with pytest.raises(ValueError, match="leave out failed items"):
            bootstrap(bad)
