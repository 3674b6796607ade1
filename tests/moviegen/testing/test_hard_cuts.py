import numpy as np
import pytest

from moviegen.testing.cut_match import LONGEST_CUT, TOLERANCE, Match, match_transitions
from moviegen.testing.hard_cuts import (
    CATEGORIES,
    SIZE,
    TrueTransition,
    dip,
    dissolve,
    footage_source,
    make_video,
    slide,
    wipe,
)

GRADUAL = {"dissolve_24": "dissolve", "dissolve_8": "dissolve", "fade": "fade", "wipe": "wipe", "slide": "slide"}


def changes(frames: np.ndarray) -> np.ndarray:
    """Mean change of each frame against the one before."""
    small = frames[:, ::4, ::4].astype(np.int16)
    return np.r_[0, np.abs(np.diff(small, axis=0)).mean(axis=(1, 2, 3))]


def test_the_same_seed_gives_the_same_video():
    one, two, other = (make_video("short", seed) for seed in (5, 5, 6))
    assert np.array_equal(one.frames, two.frames)
    assert one.transitions == two.transitions
    assert one.frames.shape[1:] == (SIZE[1], SIZE[0], 3)
    assert not np.array_equal(one.frames[0], other.frames[0])


@pytest.mark.parametrize("category", ["plain", "dark", "short"])
def test_hard_cuts_lie_where_the_truth_says(category):
    video = make_video(category, 4)
    change = changes(video.frames)
    for cut in video.transitions:
        assert cut.start == cut.end
        assert change[cut.start] > 1.5 * np.delete(change[cut.start - 3 : cut.start + 4], 3).max()


@pytest.mark.parametrize("category", GRADUAL)
def test_gradual_transitions_lie_where_the_truth_says(category):
    """Made of stills, nothing changes but in them."""
    video = make_video(category, 4, film=stills)
    inside = np.zeros(len(video.frames), bool)
    for each in video.transitions:
        assert each.kind == GRADUAL[category]
        inside[each.start : each.end + 1] = True
    change = changes(video.frames)
    assert change[~inside].max() == 0
    assert all(change[each.start : each.end + 1].mean() > 0.5 for each in video.transitions)


def stills(rng: np.random.Generator, num_frames: int) -> np.ndarray:
    picture = rng.integers(0, 256, (SIZE[1] // 20, SIZE[0] // 20, 3), dtype=np.uint8).repeat(20, 0).repeat(20, 1)
    return np.broadcast_to(picture, (num_frames, *picture.shape))


def test_dark_videos_are_dark():
    video = make_video("dark", 4)
    assert video.frames.mean() < 20


def test_every_category_can_be_made_of_footage():
    runs = [stills(np.random.default_rng(i), 150) for i in range(3)]
    video = make_video("flash", 1, film=footage_source(runs))
    assert len(video.transitions) == 4
    with pytest.raises(ValueError, match="no two runs of 200 frames, the longest has 150"):
        footage_source(runs)(np.random.default_rng(0), 200)


def test_mixtures():
    old, new = np.full((4, 8, 3), 100, np.float32), np.full((4, 8, 3), 200, np.float32)
    assert dissolve(old, new, 0.25).mean() == 125
    assert dip(0)(old, new, 0.5).mean() == 0
    assert dip(255)(old, new, 0.0).mean() == 100
    assert wipe("right")(old, new, 0.5)[0, :, 0].tolist() == [200] * 3 + [150] + [100] * 4
    assert wipe("left")(old, new, 0.5)[0, :, 0].tolist() == [100] * 4 + [150] + [200] * 3
    assert slide("left")(old, new, 0.25)[0, :, 0].tolist() == [100] * 6 + [200] * 2
    assert slide("down")(old, new, 0.5)[:, 0, 0].tolist() == [200] * 2 + [100] * 2


CUT, LONG, FADE = TrueTransition(50, 50, "cut"), TrueTransition(100, 124, "dissolve"), TrueTransition(200, 220, "fade")


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([], Match(0, 0, 3)),
        ([(50, 50), (112, 112), (210, 210)], Match(3, 0, 0)),
        ([(50 + TOLERANCE, 50 + TOLERANCE)], Match(1, 0, 2)),
        ([(51 + TOLERANCE, 51 + TOLERANCE)], Match(0, 1, 3)),
        ([(50, 51 + LONGEST_CUT)], Match(0, 1, 3)),
        ([(98, 126), (110, 110)], Match(1, 1, 2)),
        ([(200, 209), (211, 221)], Match(1, 0, 2)),
        ([(200, 209), (211, 221), (230, 230)], Match(1, 1, 2)),
    ],
)
def test_matching_is_one_to_one(found, wanted):
    assert match_transitions(found, [CUT, LONG, FADE])[0] == wanted


def test_f1():
    assert Match(3, 1, 1).f1 == 0.75
    assert Match().f1 == 1
    assert Match(0, 1, 0).f1 == 0
    assert Match(1, 2, 3) + Match(1, 0, 0) == Match(2, 2, 3)


def test_categories_have_names_of_their_own():
    assert len(set(CATEGORIES)) == len(CATEGORIES)
    with pytest.raises(ValueError, match="'nothing' is no category"):
        make_video("nothing", 1)
