"""Pixels and sound of scenes against what the scene says."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from moviegen.testing.drawing import render, render_frame, shape_distance
from moviegen.testing.scene import BACKGROUNDS, COLOURS, SHAPES, bounce_times, position_at, sample_scene
from moviegen.testing.sound import render_audio


def test_render_gives_the_frames_the_scene_says():
    scene = sample_scene(0, width=64, height=48, fps=8)
    frames = list(render(scene))
    assert len(frames) == scene.num_frames
    assert all(frame.shape == (48, 64, 3) and frame.dtype == np.uint8 for frame in frames)
    assert all(np.array_equal(a, b) for a, b in zip(frames, render(scene), strict=True))


@pytest.mark.parametrize("shape", SHAPES)
def test_shape_is_where_and_what_colour_it_should_be(shape):
    scene = sample_scene(2, shape=shape, action="moves", camera="static", width=192, height=192)
    for u in (0.0, 0.5, 0.9):
        frame = render_frame(scene, u)
        x, y = position_at(scene, u)
        column, row = 96 + x * 192, 96 + y * 192
        assert tuple(frame[int(row), int(column)]) == COLOURS[scene.colour]
        corner = frame[:8, :8].reshape(-1, 3).mean(axis=0)
        assert np.abs(corner - BACKGROUNDS[scene.background]).max() < 30


def test_circle_and_polygons_agree_with_opencv():
    axis = np.arange(128) + 0.5 - 64
    circle = shape_distance("circle", axis[None, :], axis[:, None], 40.0) < 0
    expected = cv2.circle(np.zeros((128, 128), np.uint8), (64, 64), 40, 1, -1)
    assert (circle != (expected > 0)).mean() < 0.02
    square = shape_distance("square", axis[None, :], axis[:, None], 40.0)
    assert square.min() == pytest.approx(-36, abs=0.6)
    assert (square < 0).sum() == 72 * 72


def test_areas_of_the_shapes_are_alike():
    axis = np.arange(256) + 0.5 - 128
    areas = [(shape_distance(shape, axis[None, :], axis[:, None], 80.0) < 0).mean() for shape in SHAPES]
    assert max(areas) < 1.7 * min(areas)


def test_camera_moves_the_background_as_its_name_says():
    for camera, shift in (("pan right", 1), ("pan left", -1)):
        scene = sample_scene(4, action="stays still", camera=camera, width=96, height=96, radius=0.16)
        scene = replace(scene, y=0.3)
        first, last = (render_frame(scene, u)[:40].astype(float).mean(axis=(0, 2)) for u in (0.0, 0.5))
        offset = round(0.12 * 96) * shift
        assert np.abs(np.roll(first, -offset)[15:-15] - last[15:-15]).mean() < 1.5
        assert np.abs(np.roll(first, offset)[15:-15] - last[15:-15]).mean() > 1.5


def test_shape_that_appears_is_absent_first():
    scene = sample_scene(4, action="appears", colour="red", background="charcoal", camera="zoom in")
    redness = [int(np.ptp(render_frame(scene, u).astype(int), axis=-1).max()) for u in (0.0, 0.3, 0.6)]
    assert redness[0] < 60
    assert redness[1] < 60
    assert redness[2] == 200


def test_click_at_each_bounce_and_nowhere_else():
    scene = sample_scene(9, action="bounces")
    sound = render_audio(scene, 8000)
    assert sound.shape == (1, round(scene.duration * 8000))
    assert sound.dtype == np.float32
    loud = np.flatnonzero(np.abs(sound[0]) > 0.3) / 8000
    onsets = [loud[0], *(b for a, b in pairwise(loud) if b - a > 0.2)]
    assert onsets == pytest.approx(bounce_times(scene), abs=0.002)
    assert np.abs(render_audio(sample_scene(9, action="moves"), 8000)).max() < 0.05
