"""Vectors of the `embeddings` table as one matrix.

Axes: N vectors, D numbers of a vector.
"""

from pathlib import Path

import numpy as np

from moviegen.contracts.lake import Lake


def load_vectors(lake: Lake, batch: str | None, embedder: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """(clip_ids, places, matrix) of an embedder's committed vectors, of one batch or of all: N ids, (N,) int32, (N, D) float32.

    Rows are sorted by clip and place. Without any, the matrix is (0, 0). Raises ValueError when their widths differ.
    """
    files = lake.files([part for part in lake.committed_parts("embeddings", batch) if part.num_rows])
    found = [_read(file, embedder) for file in files]
    clip_ids = np.concatenate([np.zeros(0, "U1"), *(ids for ids, _, _ in found)])
    if not len(clip_ids):
        return [], np.zeros(0, np.int32), np.zeros((0, 0), np.float32)
    places = np.concatenate([places for _, places, _ in found])
    widths = {matrix.shape[1] for ids, _, matrix in found if len(ids)}
    if len(widths) > 1:
        raise ValueError(f"{lake.root}: vectors of {embedder} have widths {sorted(widths)}, wanted one; embed again")
    matrix = np.concatenate([matrix for ids, _, matrix in found if len(ids)])
    order = np.lexsort((places, clip_ids))
    return clip_ids[order].tolist(), places[order], matrix[order]


def _read(file: Path, embedder: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(ids, places, matrix) of one part: columns go from Arrow to numpy without a Python object for each number."""
    import pyarrow.parquet as pq

    rows = pq.read_table(
        file, columns=["clip_id", "place", "vector"], filters=[("embedder", "=", embedder)], partitioning=None
    ).combine_chunks()
    if not rows.num_rows:
        return np.zeros(0, "U1"), np.zeros(0, np.int32), np.zeros((0, 0), np.float32)
    vectors = rows["vector"].combine_chunks()
    lengths = np.unique(vectors.value_lengths().to_numpy(zero_copy_only=False))
    if len(lengths) > 1:
        raise ValueError(f"{file}: vectors of {embedder} have widths {lengths.tolist()}, wanted one; embed again")
    ids = rows["clip_id"].to_numpy(zero_copy_only=False).astype("U")
    return ids, rows["place"].to_numpy().astype(np.int32), vectors.flatten().to_numpy().reshape(-1, int(lengths[0]))
