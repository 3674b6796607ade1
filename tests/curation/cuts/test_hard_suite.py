"""Our finder on videos of the hard suite, straight from their frames; the whole table is `benchmarks/hard_cuts.py`."""

import numpy as np
import pytest

from curation.cuts.finder import TransitionFinder
from moviegen.testing.cut_match import Match, match_transitions
from moviegen.testing.hard_cuts import FPS, make_video


def match(category: str, seed: int) -> Match:
    video = make_video(category, seed)
    finder = TransitionFinder(float(FPS))
    for frame in video.frames:
        finder.add(np.ascontiguousarray(frame[..., ::-1]))
    return match_transitions([(each.start, each.end) for each in finder.transitions()], video.transitions)[0]


@pytest.mark.parametrize("category", ["dissolve_24", "wipe", "slide", "fade"])
def test_gradual_transitions(category):
    assert match(category, 1).f1 >= 0.9


@pytest.mark.parametrize("category", ["dark", "short", "still"])
def test_hard_cuts(category):
    assert match(category, 1).f1 >= 0.9


@pytest.mark.parametrize("category", ["flash", "strobe", "whip_pan", "zoom_burst", "hand_held"])
def test_nothing_is_found_where_nothing_is(category):
    assert match(category, 1) == Match(right=4)
