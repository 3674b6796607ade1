"""Kinds of batches in exact shares, from the batch's number alone."""

from collections import Counter
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviegen.contracts.sample import SampleMeta
from moviegen.errors import UsageError
from training.config import load_yaml
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


def counts_of(repo_root, path, batches):
    """Batches of each kind among the first `batches` of a stage of the paper."""
    parts = load_yaml(repo_root / f"configs/training/{path}.yaml")["data"]["init_args"]["parts"]
    turns = PartTurns({name: part["share"] for name, part in parts.items()})
    return Counter(turns.turn(i)[0] for i in range(batches))


def test_editing_batches_are_a_sixth_and_a_fifth_text_to_video_s_5_1_3(repo_root):
    """Equation 3 of the first stage, Equation 4 of the second [S 5.1.2, 5.1.3]."""
    assert counts_of(repo_root, "edit/01_single_frame", 6000) == {"t2v": 1000, "image": 5000}
    assert counts_of(repo_root, "edit/02_multi_frame", 5000) == {"t2v": 1000, "animate": 3000, "segment": 1000}


def test_batches_of_10_s_and_30_s_are_5_to_1_s_6_2_4(repo_root):
    """And films to sound alone 10 : 1 [S 6.2.3]."""
    counts = counts_of(repo_root, "audio_dit/02_finetune", 6600)
    assert sum(count for name, count in counts.items() if name.endswith("10s")) == 5500
    assert sum(count for name, count in counts.items() if name.startswith("films")) == 6000


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
