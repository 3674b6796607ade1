"""Kinds of batches in exact shares, from the batch's number alone."""

from collections import Counter
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviegen.contracts.sample import SampleMeta
from moviegen.errors import UsageError
from training.data.parts import PartTurns
from training.data.windows import Window, window_indices

SHARES = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 7), min_size=1)


@given(SHARES, st.integers(0, 40))
def test_every_cycle_has_the_exact_shares_and_counts_each_kind(shares, cycle):
    turns, size = PartTurns(shares), sum(shares.values())
    rows = [turns.turn(cycle * size + place) for place in range(size)]
    assert Counter(name for name, _ in rows) == shares
    for name, share in shares.items():
        assert [number for kind, number in rows if kind == name] == list(range(cycle * share, (cycle + 1) * share))


@given(SHARES)
def test_kinds_are_spread_evenly(shares):
    turns, size = PartTurns(shares), sum(shares.values())
    seen = Counter()
    for place in range(size):
        seen[turns.turn(place)[0]] += 1
        for name, share in shares.items():
            assert abs(seen[name] - share * (place + 1) / size) <= len(shares)


def test_the_papers_shares():
    """10 s and 30 s as 5 : 1 [S 6.2.4]; editing stages [S Eq 3, 4]."""
    for shares in ({"ten": 5, "thirty": 1}, {"t2v": 1, "image": 5}, {"t2v": 1, "animate": 3, "segment": 1}):
        total = sum(shares.values())
        counts = Counter(PartTurns(shares).turn(i)[0] for i in range(60 * total))
        assert counts == {name: 60 * share for name, share in shares.items()}


def test_a_share_of_nothing_is_refused():
    with pytest.raises(UsageError, match="at least 1"):
        PartTurns({"a": 0})


def clip(num_frames, duration):
    return SimpleNamespace(num_frames=num_frames, duration=duration, __class__=SampleMeta)


def test_a_window_takes_neighbours_at_its_rate_from_its_place():
    window = Window(num_frames=8, fps=4)
    assert window.seconds == 2
    assert window_indices(clip(48, 6.0), window, 0.0) == [1, 3, 5, 7, 9, 11, 13, 15]
    middle = window_indices(clip(48, 6.0), window, 0.5)
    assert middle == [index + 16 for index in window_indices(clip(48, 6.0), window, 0.0)]
    assert window_indices(clip(48, 6.0), window, 0.999)[-1] < 48
    exact = Window(num_frames=256, fps=16)
    assert window_indices(clip(256, 16.0), exact, 0.5) == list(range(256))


@pytest.mark.parametrize("values", [{"num_frames": 0, "fps": 4}, {"num_frames": 4, "fps": 0}])
def test_a_window_of_nothing_is_refused(values):
    with pytest.raises(ValueError, match="more than 0"):
        Window(**values)
