"""The oracle against worlds whose truth is known: clean, blurred and noisy, and things that are no shape of the world."""

import cv2
import numpy as np
import pytest

from moviegen.contracts.bucket import sample_frame_indices
from moviegen.testing.captions import caption
from moviegen.testing.drawing import background_texture, render_frame
from moviegen.testing.oracle import judge, read_video
from moviegen.testing.scene import Scene, sample_scene


def _film(scene: Scene, blur: float = 0.0, noise: float = 0.0, side: int = 64) -> np.ndarray:
    """16 frames of side x side over the whole scene, as a model is trained on, made worse."""
    rng = np.random.default_rng(scene.seed)
    texture = background_texture(scene)
    frames = []
    for i in sample_frame_indices(scene.num_frames, 16):
        frame = cv2.resize(
            render_frame(scene, i / scene.num_frames, texture), (side, side), interpolation=cv2.INTER_AREA
        )
        frames.append(cv2.GaussianBlur(frame, (0, 0), blur) if blur else frame)
    return (np.stack(frames) + rng.normal(0, noise, (16, side, side, 3))).clip(0, 255).astype(np.uint8)


def _accuracy(blur: float, noise: float, num_scenes: int, **constraints: object) -> dict[str, float]:
    judged = []
    for seed in range(num_scenes):
        scene = sample_scene(seed, width=128, height=128, **constraints)
        judged.append(judge(caption(scene), _film(scene, blur, noise)))
    return {name: np.mean([getattr(j, f"{name}_ok") for j in judged]) for name in ("colour", "shape", "direction")}


@pytest.mark.parametrize(
    ("blur", "noise", "num_scenes", "wanted"),
    [(0.0, 0.0, 100, 0.99), (1.0, 15.0, 50, 0.98), (2.0, 30.0, 40, 0.95)],
)
def test_accuracy_on_moving_shapes(blur, noise, num_scenes, wanted):
    assert min(_accuracy(blur, noise, num_scenes, action="moves").values()) >= wanted


def test_accuracy_on_every_action_before_a_still_camera():
    assert min(_accuracy(0.0, 0.0, 60, camera="static").values()) >= 0.99


def test_strong_blur_costs_the_shape_but_neither_colour_nor_direction():
    accuracy = _accuracy(3.0, 10.0, 30, action="moves")
    assert accuracy["colour"] == accuracy["direction"] == 1.0
    assert accuracy["shape"] >= 0.6


def test_a_wrong_word_is_found_out():
    frames = _film(
        sample_scene(1, colour="red", shape="circle", direction="left", camera="static", width=192, height=192)
    )
    assert judge("a red circle moves left", frames).all_ok
    wrong = judge("a blue star moves right", frames)
    assert (wrong.colour_ok, wrong.shape_ok, wrong.direction_ok) == (False, False, False)
    assert not judge("a red circle moves up", frames).direction_ok
    assert not judge("a red circle stays still", frames).direction_ok
    assert judge("a red square moves left", frames).colour_ok


def test_displacement_and_track_are_measured():
    scene = sample_scene(3, direction="down", camera="static", width=128, height=128)
    reading = read_video(_film(scene))
    assert reading.displacement[1] == pytest.approx(scene.travel * 15 / 16, abs=0.02)
    assert reading.displacement[0] == pytest.approx(0, abs=0.02)
    assert len(reading.track) == 16
    assert reading.track[8][1] == pytest.approx(scene.y + scene.travel / 32, abs=0.02)


def test_other_frame_sizes_and_single_frames():
    scene = sample_scene(6, colour="green", shape="triangle", direction="right", camera="static", width=256, height=144)
    frames = np.stack([render_frame(scene, u) for u in (0, 0.25, 0.5, 0.75, 1)])
    assert judge(caption(scene), frames).all_ok
    still = judge("a green triangle stays still", frames[:1])
    assert still.all_ok


def test_nothing_is_read_where_there_is_nothing():
    grey = np.full((8, 64, 64, 3), 127, np.uint8)
    reading = read_video(grey)
    assert (reading.colour, reading.shape, reading.direction, reading.found_fraction) == (None, None, None, 0.0)
    assert not judge("a red circle moves left", grey).colour_ok
    noise = np.random.default_rng(0).normal(128, 25, grey.shape).clip(0, 255).astype(np.uint8)
    assert read_video(noise).shape is None


def test_outlines_that_are_no_shape_of_the_world_are_none():
    bar, ring = np.full((2, 64, 64, 3), 120, np.uint8)
    cv2.rectangle(bar, (10, 28), (38, 38), (220, 20, 20), -1)
    cv2.circle(ring, (32, 32), 11, (220, 20, 20), 4)
    for frame in (bar, ring):
        reading = read_video(frame[None])
        assert reading.colour == "red"
        assert reading.shape is None


@pytest.mark.parametrize(
    "frames", [np.zeros((0, 8, 8, 3), np.uint8), np.zeros((2, 8, 8, 3)), np.zeros((8, 8, 3), np.uint8)]
)
def test_wrong_arrays_are_refused(frames):
    with pytest.raises(ValueError, match="wanted uint8"):
        read_video(frames)


def test_prompt_of_another_world_is_refused():
    with pytest.raises(ValueError, match="is no caption"):
        judge("a dog runs", np.zeros((1, 8, 8, 3), np.uint8))
