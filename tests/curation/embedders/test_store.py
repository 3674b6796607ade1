import numpy as np
import pytest

from curation.embedders.store import load_vectors
from curation.rows import write_rows
from moviegen.contracts.lake import Lake, Part, add_parts
from moviegen.contracts.tables import EMBEDDINGS


def put(lake: Lake, embedder: str, vectors: dict[str, list[list[float]]], batch: str = "b") -> None:
    rows = [
        {"clip_id": clip_id, "embedder": embedder, "place": place, "vector": vector, "embedder_version": "1"}
        for clip_id, found in vectors.items()
        for place, vector in enumerate(found)
    ]
    path = lake.part_path("embeddings", batch, f"embed:{embedder}", "1", vectors)
    sha256 = write_rows(lake.root / path, EMBEDDINGS, rows)
    part = Part(path, f"embed:{embedder}", "1", tuple(vectors), len(rows), sha256)
    lake.write_commit(add_parts(lake.read_commit("embeddings", batch), [part]))


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = Lake(tmp_path)
    put(lake, "near", {"c": [[0.0, 1.0], [1.0, 0.0]], "b": [[0.6, 0.8]]})
    put(lake, "near", {"a": [[0.8, 0.6]]})
    put(lake, "far", {"a": [[1.0, 0.0, 0.0]]})
    put(lake, "near", {"z": [[-1.0, 0.0]]}, "other")
    return lake


def test_rows_come_sorted_by_clip_and_place(lake):
    ids, places, matrix = load_vectors(lake, "b", "near")
    assert ids == ["a", "b", "c", "c"]
    assert places.tolist() == [0, 0, 0, 1]
    assert places.dtype == np.int32
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, np.float32([[0.8, 0.6], [0.6, 0.8], [0, 1], [1, 0]]))


def test_each_embedder_has_its_own(lake):
    assert load_vectors(lake, "b", "far")[2].shape == (1, 3)


def test_all_batches_at_once(lake):
    assert load_vectors(lake, None, "near")[0] == ["a", "b", "c", "c", "z"]


def test_none_are_an_empty_matrix(lake):
    ids, places, matrix = load_vectors(lake, "b", "unknown")
    assert (ids, places.shape, matrix.shape) == ([], (0,), (0, 0))


def test_widths_that_differ_are_refused(lake):
    put(lake, "near", {"d": [[1.0, 0.0, 0.0]]})
    with pytest.raises(ValueError, match=r"widths \[2, 3\]"):
        load_vectors(lake, "b", "near")
    put(lake, "mixed", {"d": [[1.0, 0.0, 0.0], [1.0, 0.0]]})
    with pytest.raises(ValueError, match=r"widths \[2, 3\]"):
        load_vectors(lake, "b", "mixed")
