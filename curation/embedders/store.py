"""Vectors of the `embeddings` table as one matrix. Columns go from Arrow to numpy without a Python object for each row or number.

Axes: N vectors, D numbers of a vector.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from curation.vectors import ClipVectors, first_rows
from moviegen.contracts.lake import Lake
from moviegen.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("clip_id", "embedder", "place", "vector", "embedder_version")


@dataclass(frozen=True)
class Wanted:
    """Which vectors."""

    embedder: str
    """Its name in the YAML."""
    version: str | None = None
    """The version that they must all be of; None: any."""
    clips: Collection[str] | None = None
    """Ids; None: all clips."""


def load_vectors(lake: Lake, batches: Sequence[str], wanted: Wanted) -> ClipVectors:
    """The committed vectors of these batches. Without any, the matrix is (0, 0); a clip that lies in two batches counts once.

    Raises UsageError, saying what to run, when vectors are of another version or their widths differ.
    """
    import pyarrow as pa

    ids = None if wanted.clips is None else pa.array(sorted(wanted.clips), pa.string())
    found = [rows for batch in batches for rows in _read_batch(lake, batch, wanted, ids)]
    if not found:
        return ClipVectors([], np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros((0, 0), np.float32))
    names, owners = _number_clips(pa.chunked_array([rows["clip_id"] for rows in found]))
    places = np.concatenate([rows["place"].to_numpy() for rows in found]).astype(np.int32, copy=False)
    order = np.lexsort((places, owners))
    is_first = np.append(True, (np.diff(owners[order]) != 0) | (np.diff(places[order]) != 0))
    order = order[is_first]
    return ClipVectors(names, first_rows(owners[order], len(names)), places[order], _fill(found, order, wanted))


def _read_batch(lake: Lake, batch: str, wanted: Wanted, ids: "pa.Array | None") -> "list[pa.RecordBatch]":
    """The rows wanted, part by part. Raises UsageError when a vector is of another version."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    found = []
    for part in lake.committed_parts("embeddings", batch):
        if not part.num_rows:
            continue
        rows = pq.ParquetFile(lake.file(part.path, part.sha256)).read(list(COLUMNS))
        rows = rows.filter(pc.equal(rows["embedder"], wanted.embedder))
        if ids is not None:
            rows = rows.filter(pc.is_in(rows["clip_id"], value_set=ids))
        versions = set(pc.unique(rows["embedder_version"]).to_pylist())
        if wanted.version is not None and versions - {wanted.version}:
            raise UsageError(
                f"{lake.place}: vectors of {wanted.embedder} in batch {batch} were made by another version of it, or with other parameters "
                f"or weights; run `moviegen curate embed --batch {batch}` with this config"
            )
        found += [
            each for each in rows.select(["clip_id", "place", "vector"]).combine_chunks().to_batches() if len(each)
        ]
    return found


def _number_clips(clip_ids: "pa.ChunkedArray") -> tuple[list[str], np.ndarray]:
    """(ids sorted, (N,) int32 number of each row's id among them)."""
    import pyarrow.compute as pc

    encoded = pc.dictionary_encode(clip_ids).combine_chunks()
    names = encoded.dictionary
    order = pc.array_sort_indices(names).to_numpy()
    number = np.empty(len(names), np.int32)
    number[order] = np.arange(len(names), dtype=np.int32)
    return names.take(order).to_pylist(), number[encoded.indices.to_numpy()]


def _fill(found: "list[pa.RecordBatch]", order: np.ndarray, wanted: Wanted) -> np.ndarray:
    """(N, D) in that order of rows. Takes the parts out of `found` as it goes, so that no vector is in memory twice."""
    width = len(found[0]["vector"][0])
    place = np.full(sum(rows.num_rows for rows in found), -1, np.int64)
    place[order] = np.arange(len(order))
    matrix = np.empty((len(order), width), np.float32)
    stop = len(place)
    while found:
        vectors = _matrix(found.pop()["vector"], width, wanted)
        target = place[stop - len(vectors) : stop]
        matrix[target[target >= 0]] = vectors[target >= 0]
        stop -= len(vectors)
    return matrix


def _matrix(vectors: "pa.ListArray", width: int, wanted: Wanted) -> np.ndarray:
    import pyarrow.compute as pc

    widths = set(pc.unique(vectors.value_lengths()).to_pylist()) | {width}
    if len(widths) > 1:
        raise UsageError(
            f"vectors of {wanted.embedder} have widths {sorted(widths)}, wanted one; run `moviegen curate embed` again"
        )
    return vectors.flatten().to_numpy().reshape(len(vectors), width)
