import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.embedders.store import Wanted, load_vectors
from curation.rows import write_rows
from moviegen.contracts.lake import Lake, Part, add_parts
from moviegen.contracts.tables import EMBEDDINGS
from moviegen.errors import UsageError


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


def near(lake: Lake, *batches: str, embedder: str = "near", **wanted):
    return load_vectors(lake, batches or ("b",), Wanted(embedder, **wanted))


def test_rows_come_sorted_by_clip_and_place(lake):
    found = near(lake)
    assert (found.ids, found.starts.tolist(), found.places.tolist()) == (["a", "b", "c"], [0, 1, 2, 4], [0, 0, 0, 1])
    assert (found.places.dtype, found.vectors.dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(found.vectors, np.float32([[0.8, 0.6], [0.6, 0.8], [0, 1], [1, 0]]))


def test_each_embedder_has_its_own(lake):
    assert near(lake, embedder="far").vectors.shape == (1, 3)


def test_several_batches_at_once_and_a_clip_of_two_once(lake):
    assert near(lake, "b", "other").ids == ["a", "b", "c", "z"]
    put(lake, "near", {"b": [[0.6, 0.8]]}, "other")
    found = near(lake, "other", "b")
    assert (found.ids, found.starts.tolist()) == (["a", "b", "c", "z"], [0, 1, 2, 4, 5])
    np.testing.assert_array_equal(found.vectors[[1, 4]], np.float32([[0.6, 0.8], [-1, 0]]))


def test_only_the_clips_asked_for(lake):
    found = near(lake, clips={"c", "unheard"})
    assert (found.ids, found.places.tolist()) == (["c"], [0, 1])
    assert near(lake, clips=()).ids == []


def test_none_are_an_empty_matrix(lake):
    found = near(lake, embedder="unknown")
    assert (len(found), found.places.shape, found.vectors.shape) == (0, (0,), (0, 0))


def test_another_version_is_refused_with_what_to_run(lake):
    assert near(lake, version="1").ids == ["a", "b", "c"]
    with pytest.raises(UsageError, match=r"vectors of near in batch b .* run `moviegen curate embed --batch b`"):
        near(lake, version="2")


def test_widths_that_differ_are_refused(lake):
    put(lake, "near", {"d": [[1.0, 0.0, 0.0]]})
    with pytest.raises(UsageError, match=r"widths \[2, 3\]"):
        near(lake)
    put(lake, "mixed", {"d": [[1.0, 0.0, 0.0], [1.0, 0.0]]})
    with pytest.raises(UsageError, match=r"widths \[2, 3\]"):
        near(lake, embedder="mixed")


@given(st.integers(0, 10_000))
def test_parts_in_any_order_give_what_sorting_all_rows_gives(tmp_path_factory, seed):
    rng = np.random.default_rng(seed)
    lake = Lake(tmp_path_factory.mktemp("lake"))
    clips = {f"{n:03d}": rng.random((rng.integers(1, 4), 3)).round(2) for n in rng.permutation(12).tolist()}
    for names in np.array_split(list(clips), 3):
        put(lake, "near", {name: clips[name].tolist() for name in names.tolist()})
    found = near(lake)
    assert found.ids == sorted(clips)
    np.testing.assert_array_equal(found.vectors, np.concatenate([clips[name] for name in sorted(clips)]).astype("f4"))
    assert found.places.tolist() == [place for name in sorted(clips) for place in range(len(clips[name]))]
