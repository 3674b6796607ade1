import numpy as np
import pytest

from curation.vectors import ClipVectors, mean_vectors

ROWS = np.array([[1, 0], [0, 1], [0, 1], [-1, 0]], np.float32)


def test_rows_in_any_order_come_sorted_by_clip_and_place():
    clips = ClipVectors.sorted_from(["b", "a", "b", "c"], np.array([1, 0, 0, 7]), ROWS)
    assert (clips.ids, clips.starts.tolist(), clips.places.tolist()) == (["a", "b", "c"], [0, 1, 3, 4], [0, 0, 1, 7])
    np.testing.assert_array_equal(clips.vectors[clips.rows(1)], [[0, 1], [1, 0]])
    assert clips.owners.tolist() == [0, 1, 1, 2]
    assert len(clips) == 3


def test_a_clips_vector_is_the_direction_of_its_mean():
    clips = ClipVectors.sorted_from(["b", "a", "b", "c"], np.zeros(4), ROWS)
    np.testing.assert_allclose(mean_vectors(clips), [[0, 1], [0.5**0.5, 0.5**0.5], [-1, 0]], atol=1e-6)
    assert mean_vectors(ClipVectors.sorted_from([], np.zeros(0), np.zeros((0, 2), np.float32))).shape == (0, 2)


def test_vectors_that_cancel_out_are_refused():
    with pytest.raises(ValueError, match="clip x: its vectors cancel out"):
        mean_vectors(ClipVectors.sorted_from(["x", "x"], np.arange(2), np.float32([[1, 0], [-1, 0]])))
