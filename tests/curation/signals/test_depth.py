"""Near and far under a camera, against flow fields that are written down exactly."""

import numpy as np
import pytest

from curation.signals.depth import depth_columns
from curation.signals.flow import places_of

PLACES = places_of((45, 80))
NUM_PAIRS = 9
SLOWEST = 0.0005


def depth_of(vectors: np.ndarray, shift: float = 0.01, weight: float = 1.0) -> tuple[float, float, float]:
    """Parallax, centre and opposite of a camera that shifts the picture to the right, `vectors` (P, 2) in all pairs."""
    camera = np.zeros((NUM_PAIRS, len(PLACES), 2), np.float32)
    camera[..., 0] = shift
    weights = np.full((NUM_PAIRS, len(PLACES)), weight, np.float32)
    found = depth_columns(PLACES, np.stack([vectors] * NUM_PAIRS).astype(np.float32), weights, camera, SLOWEST)
    return tuple(float(np.median(values)) for values in found)


def shifted(shift: float = 0.01) -> np.ndarray:
    return np.tile([shift, 0.0], (len(PLACES), 1))


def test_a_camera_that_turns_moves_all_alike():
    assert depth_of(shifted()) == pytest.approx((0, 1, 0), abs=1e-5)


def test_a_carried_camera_moves_the_near_half_faster():
    vectors = shifted()
    vectors[PLACES[:, 1] > 0] *= 2
    parallax, centre, opposite = depth_of(vectors)
    assert parallax == pytest.approx(1, abs=1e-5)
    assert (centre, opposite) == pytest.approx((1, 0), abs=1e-5)


def test_errors_that_have_no_direction_are_no_depth():
    noise = np.random.default_rng(0).normal(0, 0.002, (len(PLACES), 2))
    assert depth_of(shifted() + noise)[0] == pytest.approx(0, abs=0.1)


def test_a_thing_that_covers_less_than_a_quarter_is_no_depth():
    vectors = shifted()
    vectors[PLACES[:, 0] > 0.25] *= 3
    assert (PLACES[:, 0] > 0.25).mean() == pytest.approx(0.2, abs=0.05)
    assert depth_of(vectors)[0] == pytest.approx(0, abs=1e-5)


def test_what_is_followed_stands_in_the_middle():
    vectors = shifted()
    vectors[(np.abs(PLACES) < 0.1).all(axis=1)] = 0
    _, centre, opposite = depth_of(vectors)
    assert (centre, opposite) == pytest.approx((0, 0), abs=1e-5)


def test_what_is_nearer_than_the_middle_of_a_circle_moves_against_the_camera():
    vectors = shifted()
    near = PLACES[:, 1] > 0.2
    vectors[near] *= -1
    assert depth_of(vectors)[2] == pytest.approx(near.mean(), abs=1e-5)


@pytest.mark.parametrize("reason", ["the camera stands", "a thing moves more than the camera", "little is seen"])
def test_nothing_is_told_where_nothing_can_be(reason):
    vectors, shift, weight = shifted(), 0.01, 1.0
    if reason == "the camera stands":
        vectors, shift = vectors / 100, 0.0001
    elif reason == "little is seen":
        weight = 0.01
    else:
        vectors[: len(PLACES) // 4] += 0.06
    assert np.isnan(depth_of(vectors, shift, weight)).all()
