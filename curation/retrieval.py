"""Clips like a text or a clip: exact search over the embeddings of a lake, some thousand vectors in memory at a time.

A clip has one vector or several, in order of time. It is as similar to a query as the query's vectors are on average to the nearest of its
own: a text (one vector) finds the clip's best moment, and what one clip shows for a moment only counts for that moment. Our decision.

Axes: Q vectors of the query, N vectors of a chunk, C clips of a chunk, D numbers of an embedding. Vectors have unit length.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from moviegen.contracts.lake import Lake
from moviegen.errors import UsageError

CHUNK = 65536
"""Vectors read at a time: 192 MiB of 768 numbers."""

Chunk = tuple[np.ndarray, np.ndarray]
"""Clip ids (N,) and vectors (N, D) float32, the rows of a clip side by side."""


@dataclass(frozen=True)
class Hit:
    """A clip found."""

    clip_id: str
    similarity: float
    """Mean cosine of the query's vectors to the nearest of the clip's, -1..1."""


def nearest_clips(
    query: np.ndarray, chunks: Iterable[Chunk], top: int, without: Collection[str] = frozenset()
) -> list[Hit]:
    """The `top` clips most similar to the query (Q, D), best first, of equal ones that of the smaller id; `without` those named.

    Raises UsageError when the vectors have another width than the query.
    """
    best: dict[str, float] = {}
    enough = top + len(without)
    for ids, cosines in best_cosines(query, chunks):
        similarities = cosines.mean(axis=1)
        least = np.partition(similarities, -enough)[-enough] if len(ids) > enough else -np.inf
        for place in np.flatnonzero(similarities >= least):
            clip_id = str(ids[place])
            if clip_id not in without:  # one clip may lie in two batches
                best[clip_id] = max(float(similarities[place]), best.get(clip_id, -np.inf))
        best = dict(sorted(best.items(), key=lambda item: (-item[1], item[0]))[:top])
    return [Hit(clip_id, similarity) for clip_id, similarity in best.items()]


def best_cosines(query: np.ndarray, chunks: Iterable[Chunk]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ids (C,) and cosines (C, Q): of each clip the best of its vectors to each vector of the query. A clip may go on in the next chunk."""
    last_id, last = np.zeros(0, str), np.zeros((0, len(query)), np.float32)
    for ids, vectors in chunks:
        if vectors.shape[1] != query.shape[1]:
            raise UsageError(
                f"the query's vectors have {query.shape[1]} numbers, the lake's {vectors.shape[1]}: they are not of the same model"
            )
        first = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
        found_ids, found = ids[first], np.maximum.reduceat(vectors @ query.T, first, axis=0)
        if len(last_id) and last_id[0] == found_ids[0]:
            found[0] = np.maximum(found[0], last[0])
        else:
            yield last_id, last
        yield found_ids[:-1], found[:-1]
        last_id, last = found_ids[-1:], found[-1:]
    yield last_id, last


def embedding_chunks(lake: Lake, embedder: str, size: int = CHUNK) -> Iterator[Chunk]:
    """All committed vectors of an embedder, of every batch, in chunks of at most `size`; a part's rows are sorted by clip."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for part in lake.committed_parts("embeddings"):
        if not part.num_rows:
            continue
        with pq.ParquetFile(lake.file(part.path, part.sha256)) as file:
            for batch in file.iter_batches(size, columns=["clip_id", "embedder", "vector"]):
                rows = batch.filter(pc.equal(batch["embedder"], embedder))
                if rows.num_rows:
                    yield rows["clip_id"].to_numpy(zero_copy_only=False).astype(str), _matrix(rows["vector"])


def _matrix(vectors) -> np.ndarray:
    """(N, D) of a list column."""
    widths = set(vectors.value_lengths().unique().to_pylist())
    if len(widths) != 1:
        raise UsageError(f"one embedder's vectors have {sorted(widths)} numbers: embed again, with one model")
    return vectors.flatten().to_numpy(zero_copy_only=False).reshape(len(vectors), -1)
