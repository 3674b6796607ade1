"""Nearest neighbours by cosine, with faiss: exact for small sets, inverted lists for millions, a chunk of queries at a time.

Axes: N vectors, R rows of them, D numbers of a vector, k neighbours. faiss's k-means starts from a fixed seed and vectors come in the
caller's order, so the same vectors give the same neighbours. No array of the size of all vectors is made beside faiss's own.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

EXACT_UP_TO = 30_000
"""Vectors that are compared one by one with all others; more are put in lists first."""

PROBES = 8
"""Lists looked into around each query."""

TRAINING_PER_LIST = 40
"""Vectors a list that the lists' centres are found from; faiss asks for at least 39."""

TRAINING_ROUNDS = 5
"""Rounds of k-means that find these centres; they only have to divide the vectors roughly, and cost as much as a third of the search."""

CHUNK = 16_384
"""Queries at a time."""


def make_index(vectors: np.ndarray, rows: np.ndarray, exact_up_to: int = EXACT_UP_TO, probes: int = PROBES) -> Any:
    """A faiss index by inner product over some rows (R,) of (N, D) float32 of length one; its row r is `rows[r]`."""
    import faiss

    width = vectors.shape[1]
    index = faiss.IndexFlatIP(width)
    if len(rows) > exact_up_to:
        num_lists = 2 ** round(np.log2(4 * np.sqrt(len(rows))))
        index = faiss.IndexIVFFlat(index, width, num_lists, faiss.METRIC_INNER_PRODUCT)
        index.cp.niter = TRAINING_ROUNDS
        sample = np.linspace(0, len(rows) - 1, min(len(rows), TRAINING_PER_LIST * num_lists)).astype(int)
        index.train(vectors[rows[sample]])
        index.nprobe = probes
    for start in range(0, len(rows), CHUNK):
        index.add(vectors[rows[start : start + CHUNK]])
    return index


def near_pairs(
    index: Any,
    vectors: np.ndarray,
    rows: np.ndarray,
    threshold: float,
    k: int,
    turn: Callable[[np.ndarray], np.ndarray] = lambda vectors: vectors,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows of `vectors` that ask, rows of the index) of pairs with a cosine of at least `threshold`, a chunk of queries at a time.

    The queries are the rows (R,), turned into others first where `turn` is given. Of a query's neighbours the `k` nearest at most.
    """
    k = min(k, index.ntotal)
    for start in range(0, len(rows), CHUNK):
        asking = rows[start : start + CHUNK]
        cosines, found = index.search(np.ascontiguousarray(turn(vectors[asking])), k)
        query, place = np.nonzero((cosines >= threshold) & (found >= 0))
        yield asking[query], found[query, place]
