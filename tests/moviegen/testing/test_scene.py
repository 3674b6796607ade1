"""Scenes: what is asked for is what comes, and the shape never leaves the frame."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moviegen.testing.scene import (
    ACTIONS,
    CAMERAS,
    COLOURS,
    EXTENT,
    SHAPES,
    bounce_times,
    position_at,
    sample_scene,
    view_at,
)


@given(st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_shape_stays_inside_the_frame_at_every_moment(seed):
    scene = sample_scene(seed)
    for u in np.linspace(0, 1, 33):
        view, (x, y) = view_at(scene, u), position_at(scene, u)
        reach = scene.radius * EXTENT[scene.shape] * view.zoom
        assert abs((x - view.x) * view.zoom) + reach <= scene.width / scene.short_side / 2
        assert abs((y - view.y) * view.zoom) + reach <= scene.height / scene.short_side / 2


@given(st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_on_screen_a_move_goes_mostly_its_way(seed):
    scene = sample_scene(seed, action="moves")
    (x0, y0), (x1, y1) = position_at(scene, 0), position_at(scene, 1)
    first, last = view_at(scene, 0), view_at(scene, 1)
    dx = (x1 - last.x) * last.zoom - (x0 - first.x) * first.zoom
    dy = (y1 - last.y) * last.zoom - (y0 - first.y) * first.zoom
    along = {"left": -dx, "right": dx, "up": -dy, "down": dy}[scene.direction]
    across = abs(dy) if scene.direction in ("left", "right") else abs(dx)
    assert along > 0.24
    assert along > across


def test_same_seed_same_scene_and_other_seed_other_scene():
    assert sample_scene(3) == sample_scene(3)
    assert len({sample_scene(seed) for seed in range(50)}) == 50


def test_constraints_are_met_and_leave_the_rest_alone():
    scene = sample_scene(5, colour="red", direction="up", camera="static", width=64, height=64, fps=8, duration=5)
    assert (scene.colour, scene.action, scene.direction, scene.camera) == ("red", "moves", "up", "static")
    assert (scene.width, scene.height, scene.fps, scene.num_frames) == (64, 64, Fraction(8), 40)
    assert sample_scene(5, colour="red").shape == sample_scene(5, colour="blue").shape == sample_scene(5).shape


def test_every_word_occurs_and_nothing_is_ever_quite_still():
    scenes = [sample_scene(seed) for seed in range(400)]
    assert {s.shape for s in scenes} == set(SHAPES)
    assert {s.colour for s in scenes} == set(COLOURS)
    assert {s.action for s in scenes} == set(ACTIONS)
    assert {s.camera for s in scenes} == set(CAMERAS)
    assert not [s for s in scenes if s.action in ("stays still", "appears") and s.camera == "static"]
    assert all(4.2 < s.duration < 6.1 for s in scenes)


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        ({"color": "red"}, "has no color"),
        ({"colour": "pink"}, "colour is 'pink'"),
        ({"action": "bounces", "direction": "left"}, "cannot have direction 'left'"),
        ({"radius": 0.6}, "does not fit"),
        ({"width": 8}, "too small"),
    ],
)
def test_what_cannot_be_is_refused_in_words(constraints, words):
    with pytest.raises(ValueError, match=words):
        sample_scene(0, **constraints)


def test_bounces_are_where_the_path_turns():
    scene = replace(sample_scene(1, action="bounces", fps=24), crossings=3.0)
    times = bounce_times(scene)
    assert times == pytest.approx([scene.duration * share for share in (1 / 6, 3 / 6, 5 / 6)])
    axis = 0 if scene.direction == "horizontally" else 1
    middle = (scene.x, scene.y)[axis]
    for time_s in times:
        assert abs(position_at(scene, time_s / scene.duration)[axis] - middle) == pytest.approx(scene.travel / 2)
    assert bounce_times(sample_scene(1, action="moves")) == []
