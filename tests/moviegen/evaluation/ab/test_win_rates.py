"""Net win rates: the paper's definitions on hand-counted items, and intervals that hold the truth."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moviegen.evaluation.ab.axes import AXES, PRESETS, choose_axes, most_raters
from moviegen.evaluation.ab.power import items_for, items_to_see, power_table, sigma_of
from moviegen.evaluation.ab.win_rates import outcome, verdict_of, win_rate
from moviegen.testing.ab_votes import random_votes, true_net


@pytest.mark.parametrize(
    ("votes", "majority"),
    [
        ((1, 1, 1), 1), ((1, 1, 0), 1), ((1, 1, -1), 1), ((1, 0, 0), 0), ((0, 0, 0), 0), ((0, 0, -1), 0),
        ((1, 0, -1), 0), ((-1, -1, 1), -1), ((-1, -1, 0), -1),
        ((1, 1, 1, -1, -1, -1), 0), ((1, 1, 1, 0, 0, -1), 1), ((1, 1, 0, 0, -1, -1), 0), ((-1, -1, -1, -1, 1, 1), -1),
        ((1, 1, 0, 0, 0, -1), 0), ((1,), 1), ((1, -1), 0),
    ],
)  # fmt: skip
def test_majority(votes, majority):
    for order in set(itertools.permutations(votes)):
        assert outcome(order, "majority") == majority


def test_mean_of_votes():
    assert outcome((1, 1, 0), "mean") == pytest.approx(2 / 3)
    assert outcome((1, -1, 0), "mean") == 0


TWENTY = (
    [(1, 1, 1)] * 5 + [(1, 1, -1)] * 3 + [(1, 0, -1)] * 2 + [(0, 0, 1)] * 4 + [(-1, -1, 0)] * 4 + [(-1, -1, -1)] * 2
)
"""8 won, 6 tied, 6 lost by majority; +19 - 19 + ... of single votes: see the test."""


def ballots_of(rows):
    return {f"item{i:02d}": {f"rater{k}": v for k, v in enumerate(row)} for i, row in enumerate(rows)}


def test_twenty_items_by_hand():
    by_majority = win_rate(AXES["overall_quality"], ballots_of(TWENTY))
    assert (by_majority.n, by_majority.num_votes) == (20, 60)
    assert (by_majority.win, by_majority.tie, by_majority.loss) == (40, 30, 30)
    assert by_majority.net == by_majority.value == pytest.approx(10)
    # sd of 8 times +1, 6 times 0, 6 times -1: sqrt((14 - 20 * 0.1^2) / 19) / sqrt(20)
    assert by_majority.sigma == pytest.approx(100 * math.sqrt((14 - 0.2) / 19 / 20))
    assert by_majority.verdict == "on par"
    # means: 5 * 1 + 3 * 1/3 + 0 + 4 * 1/3 - 4 * 2/3 - 2 = 8/3 over 20
    by_mean = win_rate(AXES["audio_overall"], ballots_of(TWENTY))
    assert by_mean.net == pytest.approx(100 * (8 / 3) / 20)
    edit = win_rate(AXES["edit_overall"], ballots_of(TWENTY))
    assert edit.value == pytest.approx(55)  # 40 % won and half of 30 % tied
    assert edit.sigma == pytest.approx(by_majority.sigma / 2)
    assert edit.low == pytest.approx(50 + by_majority.low / 2)


@settings(max_examples=30)
@given(st.lists(st.lists(st.sampled_from((-1, 0, 1)), min_size=3, max_size=3), min_size=2, max_size=30))
def test_the_other_side_loses_what_this_one_wins(rows):
    axis = AXES["overall_quality"]
    ours, theirs = win_rate(axis, ballots_of(rows)), win_rate(axis, ballots_of([[-v for v in row] for row in rows]))
    assert ours.net == pytest.approx(-theirs.net)
    assert (ours.win, ours.loss) == (theirs.loss, theirs.win)
    assert ours.sigma == pytest.approx(theirs.sigma)
    assert ours.net == pytest.approx(ours.win - ours.loss)
    assert ours.low - 1e-9 <= ours.net <= ours.high + 1e-9


@settings(max_examples=20)
@given(st.permutations(range(6)))
def test_neither_raters_nor_items_have_an_order(order):
    rows = TWENTY[:6]
    one = win_rate(AXES["overall_quality"], ballots_of(rows))
    ballots = {f"item{i:02d}": dict(reversed(ballots_of(rows)[f"item{i:02d}"].items())) for i in order}
    assert win_rate(AXES["overall_quality"], ballots) == one


def test_items_that_came_out_alike_are_not_certain():
    few, many = (win_rate(AXES["overall_quality"], ballots_of([(1, 1, 1)] * n)) for n in (5, 60))
    assert few.net == many.net == 100
    assert few.high == many.high == 100
    assert few.low < many.low < 100  # Wilson: 60 of 60 leaves up to 6 % for the other
    assert many.low == pytest.approx(100 * (1 - 2 * 3.8415 / (60 + 3.8415)), abs=0.01)
    assert (few.verdict, many.verdict) == ("too few", "significant")
    ties = win_rate(AXES["overall_quality"], ballots_of([(0, 0, 0)] * 60))
    assert -ties.low == pytest.approx(ties.high)
    assert ties.verdict == "on par"
    one = win_rate(AXES["overall_quality"], ballots_of([(1, 1, 1)]))
    assert math.isnan(one.low)
    assert one.verdict == "too few"


def test_words_of_the_paper():
    assert [verdict_of(net, 5.0, 100) for net in (10.1, -10.1, 10, 5, -5, 4.9, 0)] == [
        "significant", "significant", "moderate", "moderate", "moderate", "on par", "on par",
    ]  # fmt: skip


@pytest.mark.parametrize(("axis", "n"), [("overall_quality", 100), ("audio_overall", 151)])
def test_intervals_hold_the_truth(axis, n):
    """150 studies; benchmarks/ab_coverage.py has a thousand a line. 150 of 95 % leave [0.90, 1] in 99.8 % of cases."""
    random = np.random.default_rng(1)
    weights = (1.2, 0.75, 1.05)
    truth = true_net(AXES[axis], weights, random, 200_000)
    rates = [
        win_rate(AXES[axis], random_votes(AXES[axis], n, weights, random), seed=k, resamples=400) for k in range(150)
    ]
    assert 0.90 <= np.mean([rate.low <= truth <= rate.high for rate in rates]) <= 1
    spread = np.std([rate.net for rate in rates], ddof=1)
    assert np.mean([rate.sigma for rate in rates]) == pytest.approx(spread, rel=0.2)


def test_intervals_over_raters_and_over_both():
    random = np.random.default_rng(2)
    ballots = random_votes(AXES["realness"], 80, (1.2, 0.75, 1.05), random)
    over = {kind: win_rate(AXES["realness"], ballots, over=kind, resamples=300) for kind in ("items", "raters", "both")}
    assert len({rate.net for rate in over.values()}) == 1
    assert all(rate.low < rate.net < rate.high for rate in over.values())
    assert over["both"].sigma > over["items"].sigma
    # raters who all say the same leave nothing to other raters; one who says the opposite of two others does
    same = {item: dict.fromkeys(votes, next(iter(votes.values()))) for item, votes in ballots.items()}
    assert win_rate(AXES["realness"], same, over="raters", resamples=100).sigma == pytest.approx(0, abs=1e-9)
    alone = {item: {"only": 1 if int(item) % 3 else -1} for item in ballots}
    assert math.isnan(win_rate(AXES["realness"], alone, over="raters", resamples=100).low)


def test_raters_and_rules_are_the_papers():
    assert most_raters(choose_axes("video")) == 6
    assert most_raters(choose_axes("personal")) == 3
    assert {AXES[name].num_raters for name in ("realness", "aesthetics")} == {6}
    assert {AXES[name].rule for name in PRESETS["music"]} == {"mean"}
    assert {AXES[name].scale for name in PRESETS["edit"]} == {"win_rate"}
    assert [AXES[name].paper_sigma for name in PRESETS["video"]] == [3.74, 5.07, 4.08, 1.68, 3.98, 2.52, 4.84]
    assert [axis.name for axis in choose_axes("personal, realness,overall_quality")].count("overall_quality") == 1
    with pytest.raises(ValueError, match="did you mean 'realness'"):
        choose_axes("realnes")


def test_power():
    # sampling error of 40 % won, 35 % lost
    assert [round(sigma_of(0.40, 0.35, n), 1) for n in (100, 381, 1003)] == [8.6, 4.4, 2.7]
    assert 1.96 * sigma_of(0.40, 0.35, items_for(5)) <= 5 < 1.96 * sigma_of(0.40, 0.35, items_for(5) - 2)
    for row in power_table([100, 1003]):
        assert items_to_see(row.smallest) == pytest.approx(row.n, abs=1)
    # the smallest difference is found four times of five
    random, row = np.random.default_rng(0), power_table([400])[0]
    shares = (0.375 + row.smallest / 200, 0.25, 0.375 - row.smallest / 200)
    draws = random.multinomial(400, shares, size=4000)
    net, total = (draws[:, 0] - draws[:, 2]) / 400, (draws[:, 0] + draws[:, 2]) / 400
    found = np.abs(net) > 1.96 * np.sqrt((total - net**2) / 400)
    assert found.mean() == pytest.approx(0.8, abs=0.03)
