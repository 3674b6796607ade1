import numpy as np
import pytest

from curation.retrieval import best_cosines, nearest_clips
from moviegen.errors import UsageError


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def vectors() -> tuple[np.ndarray, np.ndarray]:
    """2000 clips of one to four vectors: ids by row, sorted, and the rows."""
    rng = np.random.default_rng(0)
    ids = np.repeat([f"{number:08x}" for number in range(2000)], rng.integers(1, 5, 2000))
    return ids, unit(rng.standard_normal((len(ids), 24)))


def cut(ids: np.ndarray, rows: np.ndarray, size: int) -> list:
    return [(ids[start : start + size], rows[start : start + size]) for start in range(0, len(ids), size)]


def by_hand(query: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    cosines = rows.astype(float) @ query.T.astype(float)
    return {name: cosines[ids == name].max(axis=0).mean() for name in np.unique(ids)}


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
@pytest.mark.parametrize("num_query", [1, 3])
def test_exactly_the_nearest_whatever_the_chunks(vectors, size, num_query):
    ids, rows = vectors
    query = unit(np.random.default_rng(1).standard_normal((num_query, 24)))
    expected = sorted(by_hand(query, ids, rows).items(), key=lambda item: -item[1])[:25]
    hits = nearest_clips(query, cut(ids, rows, size), 25)
    assert [hit.clip_id for hit in hits] == [name for name, _ in expected]
    np.testing.assert_allclose([hit.similarity for hit in hits], [value for _, value in expected], atol=1e-6)


def test_is_faisss_own_answer_for_one_vector_a_clip():
    faiss = pytest.importorskip("faiss")
    rows = unit(np.random.default_rng(2).standard_normal((5000, 32)))
    index = faiss.IndexFlatIP(32)
    index.add(rows)
    _, expected = index.search(rows[:1], 10)
    ids = np.array([f"{number:05d}" for number in range(5000)])
    hits = nearest_clips(rows[:1], cut(ids, rows, 999), 10)
    assert [int(hit.clip_id) for hit in hits] == expected[0].tolist()


def test_clips_left_out_make_room_for_others(vectors):
    ids, rows = vectors
    query = rows[:1]
    ten = [hit.clip_id for hit in nearest_clips(query, cut(ids, rows, 100), 10)]
    assert ten[0] == ids[0]
    left = nearest_clips(query, cut(ids, rows, 100), 8, without={*ten[:2]})
    assert [hit.clip_id for hit in left] == ten[2:]


def test_a_clip_of_two_batches_is_found_once_and_equal_ones_by_id():
    ids, rows = np.array(["a", "b", "c"]), np.eye(3, dtype=np.float32)
    query = unit(np.ones((1, 3)))
    hits = nearest_clips(query, [(ids, rows), (ids[1:2], rows[1:2]), (np.array(["0"]), rows[:1])], 3)
    assert [hit.clip_id for hit in hits] == ["0", "a", "b"]


def test_one_moment_is_enough_for_a_text_and_not_for_a_clip():
    """`a` shows the first thing all the time, `b` both: a text of the second finds b, a clip of both finds b before a."""
    one, two = np.eye(4, dtype=np.float32)[:2]
    ids, rows = np.array(["a", "a", "b", "b"]), np.stack([one, one, one, two])
    assert [hit.similarity for hit in nearest_clips(two[None], [(ids, rows)], 2)] == [1.0, 0.0]
    assert [(h.clip_id, h.similarity) for h in nearest_clips(np.stack([one, two]), [(ids, rows)], 2)] == [
        ("b", 1.0),
        ("a", 0.5),
    ]


def test_nothing_in_nothing_out():
    assert nearest_clips(np.eye(1, 4, dtype=np.float32), [], 5) == []
    assert [len(ids) for ids, _ in best_cosines(np.eye(1, 4, dtype=np.float32), [])] == [0]


def test_another_width_is_refused(vectors):
    with pytest.raises(UsageError, match="have 8 numbers, the lake's 24: they are not of the same model"):
        nearest_clips(np.eye(1, 8, dtype=np.float32), [vectors], 5)
