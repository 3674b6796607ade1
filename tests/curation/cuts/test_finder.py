"""Transitions made of known pictures: what is found, where it begins and ends, and what must not be taken for one."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.cuts import finder
from curation.cuts.finder import MARGIN, Transition, TransitionFinder
from curation.cuts.pictures import tiny_picture, unexplained_change
from moviegen.testing.hard_cuts import make_video

HEIGHT, WIDTH = 72, 128


def texture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A smooth picture (H, W, 3) float, 0..255."""
    import cv2

    rng = np.random.default_rng(seed)
    picture = cv2.resize(
        rng.uniform(20, 235, (9, 16, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    return picture.clip(0, 255)


def shot(seed: int, num_frames: int, speed: float = 0.4) -> list[np.ndarray]:
    """A slow pan over a picture, with a little noise."""
    wide, rng = texture(seed, HEIGHT, 2 * WIDTH), np.random.default_rng(seed + 1)
    starts = (np.arange(num_frames) * speed).astype(int)
    return [wide[:, s : s + WIDTH] + rng.normal(0, 1.5, (HEIGHT, WIDTH, 3)) for s in starts]


def found(frames: list[np.ndarray], fps: float = 25) -> list[Transition]:
    own = TransitionFinder(fps)
    for frame in frames:
        own.add(np.asarray(frame).clip(0, 255).astype(np.uint8))
    return own.transitions()


def between(old: list[np.ndarray], new: list[np.ndarray], mix) -> list[np.ndarray]:
    """Frames `mix(a, b, share)` of two overlapping runs of frames, the share of the new one rising."""
    shares = np.linspace(0, 1, len(old) + 2)[1:-1]
    return [mix(a, b, share) for a, b, share in zip(old, new, shares, strict=True)]


def dissolve(a, b, share):
    return (1 - share) * a + share * b


def wipe(a, b, share):
    edge = round(share * WIDTH)
    return np.concatenate([b[:, :edge], a[:, edge:]], axis=1)


@pytest.mark.parametrize("length", [8, 16, 24])
@pytest.mark.parametrize(("mix", "kind"), [(dissolve, "dissolve"), (wipe, "wipe")])
def test_dissolves_and_wipes_are_found_with_their_extent(mix, kind, length):
    old, new = shot(1, 40 + length, 0.1), shot(2, 40 + length, 0.1)
    frames = [*old[:40], *between(old[40:], new[:length], mix), *new[length:]]
    (one,) = found(frames)
    assert one.kind == kind
    assert 40 - MARGIN - 2 <= one.start <= 40
    assert 40 + length <= one.end <= 40 + length + MARGIN + 2


def test_fades_to_and_from_black_are_found():
    black = np.zeros((HEIGHT, WIDTH, 3))
    old, new = shot(3, 60), shot(4, 60)
    out = between(old[40:], [black] * 20, dissolve)
    back = between([black] * 20, new[:20], dissolve)
    first, second = found([*old[:40], *out, *([black] * 10), *back, *new[20:]])
    assert (first.kind, second.kind) == ("fade", "fade")
    assert first.start <= 41
    assert 58 <= first.end <= 64
    assert 66 <= second.start <= 71
    assert 88 <= second.end <= 94


@given(st.integers(0, 2**16), st.integers(12, 40))
def test_a_hard_cut_is_found_to_the_frame(seed, place):
    frames = [*shot(seed, place), *shot(seed + 7, 52 - place)]
    assert found(frames) == [Transition(place, place, "cut")]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_is_no_cut(length):
    frames = shot(5, 60)
    for i in range(30, 30 + length):
        frames[i] = np.full_like(frames[i], 250)
    assert found(frames) == []


@pytest.mark.parametrize("speed", [0.5, 1.5, 2.5])
def test_a_pan_is_no_transition(speed):
    assert found(shot(6, 50, speed)) == []


def test_a_thing_that_appears_is_no_transition():
    frames = shot(7, 60)
    for i, share in enumerate(np.linspace(0, 1, 12)):
        frames[25 + i][20:50, 40:80] = (1 - share) * frames[25 + i][20:50, 40:80] + share * 240
    for i in range(37, 60):
        frames[i][20:50, 40:80] = 240
    assert found(frames) == []


def test_a_dark_cut_is_found():
    frames = [np.asarray(frame) * 0.12 for frame in (*shot(8, 30), *shot(9, 30))]
    assert [(each.start, each.kind) for each in found(frames)] == [(30, "cut")]


def test_frame_rate_does_not_change_a_dissolve():
    old, new = shot(10, 100, 0.2), shot(11, 100, 0.2)
    frames = [*old[:60], *between(old[60:100], new[:40], dissolve), *new[40:]]
    (one,) = found(frames, fps=60)
    assert one.kind == "dissolve"
    assert one.start <= 60
    assert one.end >= 99


@pytest.mark.parametrize("num_frames", [0, 1, 3, 7])
def test_short_videos_have_none(num_frames):
    assert found(shot(12, num_frames)) == []


def test_transitions_do_not_overlap():
    shots = [shot(seed, 34) for seed in range(20, 25)]
    frames = list(shots[0])
    for each in shots[1:]:
        frames[-10:] = between(frames[-10:], each[:10], dissolve)
        frames += each[10:]
    several = found(frames)
    assert len(several) == 4
    assert all(a.end <= b.start for a, b in pairwise(several))


def test_a_shifted_picture_is_explained_by_movement():
    wide = texture(30, 36, 70)
    old, new = wide[:, :64].copy(), wide[:, 2:66].copy()
    assert unexplained_change(old, new) < 0.35 * np.abs(old - new).mean()
    assert unexplained_change(old, texture(31, 36, 64)) > 10


def slide(old, new, length):
    """Frames in which `new` pushes `old` out to the left, over `length` frames."""
    both = np.concatenate([old, new], axis=1)
    return [both[:, at : at + WIDTH] for at in np.linspace(0, WIDTH, length + 2)[1:-1].astype(int)]


@pytest.mark.parametrize("length", [10, 20])
@pytest.mark.parametrize("turn", [lambda frame: frame, lambda frame: frame[:, ::-1]])
def test_slides_are_found_with_their_extent(length, turn):
    old, new = shot(1, 40, 0.1), shot(2, 40, 0.1)
    (one,) = found([turn(frame) for frame in [*old, *slide(old[-1], new[0], length), *new]])
    assert one.kind == "slide"
    assert 40 - MARGIN - 2 <= one.start <= 41
    assert 39 + length <= one.end <= 40 + length + MARGIN + 2


@pytest.mark.parametrize("num_frames", [10, 20])
def test_a_camera_that_travels_by_a_whole_picture_slides_nothing(num_frames):
    wide = texture(3, HEIGHT, 3 * WIDTH)
    at = np.r_[np.zeros(40), np.linspace(0, WIDTH, num_frames), np.full(40, WIDTH)].astype(int)
    assert found([wide[:, x : x + WIDTH] for x in at]) == []


def test_it_does_not_matter_where_a_video_is_taken_apart(monkeypatch):
    """Blocks of few frames, and pieces cut anywhere with the context on either side, give what the whole gives."""
    pictures = np.concatenate([tiny(category) for category in ("dissolve_8", "strobe", "slide")])
    whole = found(list(pictures))
    assert len(whole) > 15
    monkeypatch.setattr(finder, "BLOCK", 211)
    assert found(list(pictures)) == whole
    middle = 700
    first, last = middle - finder.CONTEXT_FRAMES, middle + finder.CONTEXT_FRAMES
    left = [each for each in finder.find_transitions(pictures[:last]) if each.start < middle]
    right = [
        Transition(each.start + first, each.end + first, each.kind)
        for each in finder.find_transitions(pictures[first:])
    ]
    assert finder.tidy([*left, *(each for each in right if each.start >= middle)]) == whole


def test_blocks_of_a_fast_video(monkeypatch):
    pictures = tiny("dissolve_24")
    whole = found(list(pictures), fps=60)
    assert whole
    monkeypatch.setattr(finder, "BLOCK", 97)
    assert found(list(pictures), fps=60) == whole


@cache
def tiny(category: str) -> np.ndarray:
    """Tiny pictures of a video of the hard suite, (T, 36, 64, 3) uint8."""
    return np.stack([tiny_picture(frame) for frame in make_video(category, 1).frames])
