"""Speed by optical flow beside clips whose true speed is known."""

from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("cv2")

from moviegen.evaluation.flow import flow_speeds
from moviegen.testing.camera_moves import FPS, make_clip
from moviegen.testing.world import Scene, render

FRAMES = 7
TIMES = np.arange(FRAMES) / float(FPS)


@pytest.mark.parametrize(
    ("move", "speed", "thing"),
    [("pan_left", 0.05, 0.0), ("pan_right", 0.4, 0.0), ("tilt_up", 0.15, 0.0), ("zoom_in", 0.2, 0.0), ("truck_right", 0.15, 0.0),
     ("handheld", 0.1, 0.0), ("pan_right", 0.3, 0.3)],
)  # fmt: skip
def test_the_mean_speed_is_the_true_one(move, speed, thing):
    clip = make_clip(move, speed, seed=2, num_frames=FRAMES, object_speed=thing)
    assert flow_speeds(clip.frames, TIMES)[0] == pytest.approx(clip.flow, rel=0.06)


def test_what_stands_stands_and_a_small_fast_thing_is_among_the_fastest():
    still = flow_speeds(make_clip("static", 0.0, seed=1, num_frames=FRAMES).frames, TIMES)
    assert max(still) < 0.005
    thing = make_clip("static", 0.0, seed=1, num_frames=FRAMES, object_speed=0.3)
    whole, fastest = flow_speeds(thing.frames, TIMES)
    assert whole == pytest.approx(thing.object_flow, abs=0.005)
    assert fastest == pytest.approx(0.3, rel=0.2)


@pytest.mark.parametrize(("shape", "travel"), [("circle", 0.2), ("star", 0.4), ("triangle", 0.4)])
def test_the_fastest_twentieth_of_a_toy_world_clip_is_its_shape(shape, travel):
    scene = Scene(
        1, shape, "red", "moves", "right", "static", "silver", 128, 128, Fraction(16), 8, 0.2, 0.0, 0.0, travel, 1.0
    )
    found = flow_speeds(np.stack(list(render(scene))), np.arange(scene.num_frames) / 16)
    assert found[1] == pytest.approx(travel / scene.duration / np.sqrt(2), rel=0.1)


def test_size_and_frame_rate_do_not_matter():
    frames = make_clip("pan_left", 0.2, seed=3, num_frames=FRAMES).frames
    whole, _ = flow_speeds(frames, TIMES)
    assert flow_speeds(frames, TIMES * 2)[0] == pytest.approx(whole / 2)
    assert flow_speeds(frames[::2], TIMES[::2])[0] == pytest.approx(whole, rel=0.05)
    assert flow_speeds(frames[:, ::2, ::2], TIMES)[0] == pytest.approx(whole, rel=0.05)


def test_flicker_is_no_motion():
    """Pictures that change their brightness change every pixel and go nowhere."""
    frames = np.repeat(make_clip("static", 0.0, seed=4, num_frames=2).frames[:1], FRAMES, 0)
    flash = np.clip(frames.astype(np.int16) + np.arange(FRAMES)[:, None, None, None] % 2 * 20, 0, 255).astype(np.uint8)
    assert flow_speeds(flash, TIMES)[0] < 0.01
    assert flow_speeds(frames[:1], TIMES[:1]) is None
    assert flow_speeds(frames[:, :8], TIMES) is None
