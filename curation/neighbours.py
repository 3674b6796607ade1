"""Nearest neighbours by cosine, with faiss: exact for small sets, inverted lists for millions, a chunk of queries at a time.

Axes: N vectors, D numbers of a vector, k neighbours. faiss's k-means starts from a fixed seed and vectors come in the caller's order, so
the same vectors give the same neighbours.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

EXACT_UP_TO = 30_000
"""Vectors that are compared one by one with all others; more are put in lists first."""

PROBES = 8
"""Lists looked into around each query."""

TRAINING_PER_LIST = 40
"""Vectors a list that the lists' centres are found from; faiss asks for at least 39."""

CHUNK = 16_384
"""Queries at a time."""


def make_index(vectors: np.ndarray, exact_up_to: int = EXACT_UP_TO, probes: int = PROBES) -> Any:
    """A faiss index over the rows of (N, D) float32 of length one, by inner product."""
    import faiss

    num_vectors, width = vectors.shape
    if num_vectors <= exact_up_to:
        index = faiss.IndexFlatIP(width)
        index.add(vectors)
        return index
    num_lists = 2 ** round(np.log2(4 * np.sqrt(num_vectors)))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, num_lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter = 10
    sample = np.linspace(0, num_vectors - 1, min(num_vectors, TRAINING_PER_LIST * num_lists)).astype(int)
    index.train(vectors[sample])
    for start in range(0, num_vectors, CHUNK):
        index.add(vectors[start : start + CHUNK])
    index.nprobe = probes
    return index


def near_pairs(index: Any, queries: np.ndarray, threshold: float, k: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(places of queries, rows of the index) of pairs with a cosine of at least `threshold`, a chunk of queries at a time.

    Of a query's neighbours the `k` nearest at most.
    """
    k = min(k, index.ntotal)
    for start in range(0, len(queries), CHUNK):
        cosines, rows = index.search(np.ascontiguousarray(queries[start : start + CHUNK]), k)
        hit = (cosines >= threshold) & (rows >= 0)
        yield start + np.nonzero(hit)[0], rows[hit]
