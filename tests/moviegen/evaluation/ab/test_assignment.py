"""Assignment: every item gets its raters on every axis, sides are even and cannot be told without the secret."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moviegen.evaluation.ab.assignment import assign
from moviegen.evaluation.ab.axes import AXES, choose_axes

ITEMS = [f"item{i}" for i in range(23)]


@settings(max_examples=20)
@given(
    st.sampled_from(["video", "audio", "overall_quality", "realness,overall_quality"]),
    st.integers(0, 6),
    st.text(min_size=1, max_size=5),
)
def test_every_item_gets_its_raters(words, more, secret):
    axes = choose_axes(words)
    num_raters = max(axis.num_raters for axis in axes) + more
    trials = assign(secret, ITEMS, axes, num_raters=num_raters)
    seats = Counter((trial.item, axis) for trial in trials for axis in trial.axes)
    assert seats == {(item, axis.name): axis.num_raters for item in ITEMS for axis in axes}
    assert len({(trial.rater, trial.item) for trial in trials}) == len(trials)  # nobody twice
    assert len({trial.id for trial in trials}) == len(trials)
    per_item = Counter(trial.item for trial in trials)
    left = Counter(trial.item for trial in trials if trial.left == "A")
    assert all(abs(2 * left[item] - per_item[item]) <= 1 for item in ITEMS)
    assert assign(secret, ITEMS, axes, num_raters=num_raters) == trials


def test_loads_differ_by_few():
    trials = assign("s", ITEMS, choose_axes("overall_quality"), num_raters=7)
    loads = Counter(trial.rater for trial in trials).values()
    assert max(loads) - min(loads) <= 1
    video = assign("s", ITEMS, choose_axes("video"), num_raters=6)
    asked = Counter(trial.rater for trial in video for axis in trial.axes)
    assert max(asked.values()) - min(asked.values()) <= 0.1 * max(asked.values())


def test_orders_and_sides_are_each_raters_own():
    trials = assign("s", ITEMS, choose_axes("video"), num_raters=6)
    orders = {tuple(t.item for t in trials if t.rater == rater) for rater in range(1, 7)}
    sides = {tuple(t.left for t in sorted(trials, key=lambda t: t.item) if t.rater == rater) for rater in range(1, 7)}
    assert len(orders) == len(sides) == 6
    assert assign("other", ITEMS, choose_axes("video"), num_raters=6) != trials


def test_repeats_come_later_with_sides_swapped_and_checks_to_everybody():
    trials = assign("s", ITEMS, choose_axes("personal"), num_raters=3, checks=["check1", "check2"], num_repeats=4)
    for rater in (1, 2, 3):
        own = [trial for trial in trials if trial.rater == rater]
        assert {trial.item for trial in own if trial.kind == "check"} == {"check1", "check2"}
        repeats = [trial for trial in own if trial.kind == "repeat"]
        assert len(repeats) == 4
        for again in repeats:
            first = next(trial for trial in own if trial.item == again.item and trial.kind == "vote")
            assert own.index(first) < own.index(again)
            assert (first.left, first.axes) == ("B" if again.left == "A" else "A", again.axes)
            assert first.id != again.id


def test_too_few_raters():
    with pytest.raises(ValueError, match="5 raters, wanted at least 6"):
        assign("s", ITEMS, choose_axes("video"), num_raters=5)


def test_nothing_in_a_sheet_tells_the_side():
    """Of 2,000 items: neither place, id of trial, id of item nor the other raters' sides tell A from B more often than a coin."""
    items = [f"{i:08x}" for i in np.random.default_rng(0).permutation(2000)]
    trials = assign("secret", items, [AXES["realness"]], num_raters=6)
    is_a = np.array([trial.left == "A" for trial in trials])
    guesses = {
        "place": np.arange(len(trials)) % 2 == 0,
        "trial": np.array([int(trial.id, 16) % 2 == 0 for trial in trials]),
        "item": np.array([int(trial.item, 16) % 2 == 0 for trial in trials]),
        "rater": np.array([trial.rater % 2 == 0 for trial in trials]),
        "before": np.roll(is_a, 1),
    }
    for name, guess in guesses.items():  # 12,000 trials: four sigma of a coin are 1.8 points
        assert abs(np.mean(guess == is_a) - 0.5) < 0.019, name
