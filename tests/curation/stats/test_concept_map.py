"""Clips alike lie near each other, each in a cell of its own."""

import numpy as np
import pytest

from curation.stats.concept_map import FEW, concept_map, on_grid, project
from curation.stats.duck import open_lake


def clusters(num: int) -> tuple[np.ndarray, np.ndarray]:
    """(3 * num, 16) vectors of length one around three directions, and the direction of each."""
    rng = np.random.default_rng(0)
    owners = np.repeat(np.arange(3), num)
    vectors = np.eye(16)[owners] + 0.05 * rng.standard_normal((3 * num, 16))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), owners


@pytest.mark.parametrize("num", [5, FEW // 2])
def test_those_alike_are_neighbours(num):
    if 3 * num >= FEW:
        pytest.importorskip("sklearn")
    vectors, owners = clusters(num)
    flat, how = project(vectors)
    assert ("t-SNE of" in how) == (3 * num >= FEW)
    assert np.array_equal(flat, project(vectors)[0])
    cells, (columns, rows) = on_grid(flat)
    assert len({tuple(cell) for cell in cells}) == len(vectors)
    assert (cells >= 0).all()
    assert (cells < [columns, rows]).all()
    distances = np.linalg.norm(cells[:, None] - cells[None], axis=-1) + np.where(np.eye(len(cells)), np.inf, 0)
    assert (owners[distances.argmin(axis=1)] == owners).mean() > 0.8


def test_the_map_of_a_lake(known_lake, known_tables):
    found = concept_map(open_lake(known_lake), "s")
    assert (found.embedder, found.num_clips) == ("e", 2)
    assert {place.clip_id: place.state for place in found.places} == {"c1": "accepted", "c2": "accepted"}


def test_a_lake_without_vectors_has_no_map(make_lake, known_tables):
    known_tables["embeddings"] = []
    assert concept_map(open_lake(make_lake(known_tables)), "s") is None
