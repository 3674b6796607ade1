"""The scores of a lake's clips as columns, one value a clip: what a question about thresholds needs, read in tenths of a second."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from moviegen.contracts.lake import Lake

from .compact import gathered_file, index_file, is_large

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


INDEXED = {"score_columns": ("clips", "scores"), "reason_columns": ("clips", "selection")}
"""Files of the index made here, and the tables whose commits they follow."""


@dataclass(frozen=True)
class ClipColumns:
    """The clips of a lake in order of batch and id, and what is known of each: arrays of (N,)."""

    seconds: np.ndarray
    """float64 duration."""
    scores: dict[str, np.ndarray]
    """Metric -> float64 score, NaN where it was not measured."""
    reasons: np.ndarray
    """int: place in `reason_names` of what the present selection says; 0 kept, -1 where it says nothing."""
    reason_names: tuple[str, ...]
    """Reasons by number; the first, of kept clips, is empty."""
    failed: dict[str, np.ndarray]
    """Detector -> bool: it failed on the clip. Of those that failed on any."""

    def __len__(self) -> int:
        return len(self.seconds)


def metric_names(lake: Lake) -> list[str]:
    """Every metric that a clip of the lake was given, sorted."""
    names = {name for batch in lake.batches("clips") for name in _names(_scores(lake, batch))}
    return sorted(names - {"clip_id", "seconds"})


def read_columns(lake: Lake, subset: str, metrics: Sequence[str], batches: Sequence[str] | None = None) -> ClipColumns:
    """The clips of these batches, or of all, with these metrics and what the subset's selection says of them."""
    reasons = [""]
    parts: list[tuple] = []
    failed: list[dict[str, np.ndarray]] = []
    for batch in lake.batches("clips") if batches is None else batches:
        source = _scores(lake, batch)
        scores = _read(source, ["seconds", *metrics])
        parts.append((scores, _numbered(_reason_column(lake, batch, subset), reasons)))
        failed.append(_failed(lake, batch, source))
    columns = {
        name: np.concatenate([_floats(scores, name) for scores, _ in parts]) if parts else np.zeros(0)
        for name in ("seconds", *metrics)
    }
    numbers = np.concatenate([numbers for _, numbers in parts]) if parts else np.zeros(0, np.int64)
    seconds = columns.pop("seconds")
    return ClipColumns(seconds, columns, numbers, tuple(reasons), _joined(failed, [len(each) for _, each in parts]))


def _failed(lake: Lake, batch: str, source: "pa.Table | pq.ParquetFile") -> dict[str, np.ndarray]:
    """Detector -> (N,) bool of the batch's clips; none where no detector failed, and then the ids are not read."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = _rows(lake, "failures", batch, ["stage", "input_id"])
    rows = rows.filter(pc.starts_with(rows["stage"], "score:"))
    if not rows.num_rows:
        return {}
    clips = _read(source, ["clip_id"])["clip_id"]
    found = {}
    for stage in pc.unique(rows["stage"]).to_pylist():
        ids = rows.filter(pc.equal(rows["stage"], stage))["input_id"].combine_chunks()
        hits = pc.is_in(clips, value_set=ids.cast(pa.string()))
        found[stage.removeprefix("score:")] = np.array(hits.to_pylist(), bool)
    return found


def _joined(parts: Sequence[dict[str, np.ndarray]], sizes: Sequence[int]) -> dict[str, np.ndarray]:
    """The batches' marks one after another; false where a batch has none."""
    names = sorted({name for part in parts for name in part})
    return {
        name: np.concatenate([part.get(name, np.zeros(size, bool)) for part, size in zip(parts, sizes, strict=True)])
        for name in names
    }


def _floats(table: "pa.Table", name: str) -> np.ndarray:
    """A column as float64, NaN where it is not there at all."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return _plain(table.column(name), np.float64)


def _plain(column: "pa.ChunkedArray | pa.Array", kind: type) -> np.ndarray:
    """The numbers of a column without nulls. Not by `to_numpy`, which imports pandas: half a second of a question's two."""
    chunks = column.chunks if hasattr(column, "chunks") else [column]
    return np.concatenate([np.zeros(0, kind), *(np.from_dlpack(chunk) for chunk in chunks if len(chunk))])


UNDECIDED = ","
"""Stands for the reason of a clip that the selection says nothing of: no rule's name has a comma."""


def _numbered(column: "pa.ChunkedArray", reasons: list[str]) -> np.ndarray:
    """Places in `reasons`, which grows; -1 for undecided."""
    coded = column.combine_chunks()
    coded = coded if hasattr(coded, "dictionary") else coded.dictionary_encode()
    words = coded.dictionary.to_pylist()
    reasons += [word for word in words if word not in reasons and word != UNDECIDED]
    places = np.array([-1 if word == UNDECIDED else reasons.index(word) for word in words], np.int64)
    return places[_plain(coded.indices, np.int32)]


def _scores(lake: Lake, batch: str) -> "pa.Table | pq.ParquetFile":
    """Clips of a batch in order of their ids: `clip_id`, `seconds`, and a column a metric."""
    import pyarrow.parquet as pq

    if not is_large(lake, "scores", batch):
        return _make_scores(lake, batch)
    return pq.ParquetFile(_index(lake, "score_columns", batch, partial(_make_scores, lake, batch)))


def _index(lake: Lake, name: str, batch: str, make: Callable[[], "pa.Table"]) -> Path:
    return index_file(lake, name, batch, INDEXED[name], make)


def _names(source: "pa.Table | pq.ParquetFile") -> list[str]:
    return source.column_names if hasattr(source, "column_names") else source.schema_arrow.names


def _read(source: "pa.Table | pq.ParquetFile", columns: Sequence[str]) -> "pa.Table":
    """Those of the columns that there are."""
    found = [name for name in columns if name in _names(source)]
    return source.select(found) if hasattr(source, "select") else source.read(found)


def _make_scores(lake: Lake, batch: str) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.compute as pc

    clips = _rows(lake, "clips", batch, ["clip_id", "start_pts", "end_pts", "tb_num", "tb_den"]).sort_by("clip_id")
    scores = _rows(lake, "scores", batch, ["clip_id", "metric", "score"])
    names = scores["metric"].combine_chunks().dictionary_encode() if scores.num_rows else None
    metrics = names.dictionary.to_pylist() if names is not None else []
    grid = np.full((len(metrics), clips.num_rows), np.nan)
    if metrics:
        places = pc.index_in(scores["clip_id"], clips["clip_id"].combine_chunks())
        known = places.is_valid().to_numpy()
        rows = places.fill_null(0).to_numpy()
        grid[names.indices.to_numpy()[known], rows[known]] = scores["score"].to_numpy()[known]
    units = {name: clips[name].to_numpy() for name in ("start_pts", "end_pts", "tb_num", "tb_den")}
    seconds = (units["end_pts"] - units["start_pts"]) * units["tb_num"] / np.maximum(units["tb_den"], 1)
    order = sorted(range(len(metrics)), key=metrics.__getitem__)
    return pa.table(
        {"clip_id": clips["clip_id"], "seconds": seconds} | {metrics[place]: grid[place] for place in order}
    )


def _reason_column(lake: Lake, batch: str, subset: str) -> "pa.ChunkedArray":
    """What the subset says of each clip of a batch, in order of their ids: its reason, empty when kept, `UNDECIDED` when nothing."""
    import pyarrow.parquet as pq

    if not is_large(lake, "selection", batch) and not is_large(lake, "clips", batch):
        return _make_reasons(lake, batch, [subset])[subset]
    make = partial(_make_reasons, lake, batch, None)
    path = _index(lake, "reason_columns", batch, make)
    if subset in pq.ParquetFile(path).schema_arrow.names:
        return pq.ParquetFile(path, read_dictionary=[subset]).read([subset])[subset]
    return _make_reasons(lake, batch, [subset])[subset]


def _make_reasons(lake: Lake, batch: str, subsets: Sequence[str] | None) -> "pa.Table":
    """A column a subset, in order of the clips' ids."""
    import pyarrow as pa
    import pyarrow.compute as pc

    clips = _rows(lake, "clips", batch, ["clip_id"])["clip_id"].combine_chunks()
    clips = clips.take(pc.sort_indices(clips))
    chosen = _rows(lake, "selection", batch, ["subset", "clip_id", "reason"])
    columns = {}
    for subset in pc.unique(chosen["subset"]).to_pylist() if subsets is None else subsets:
        own = chosen.filter(pc.equal(chosen["subset"], subset))
        places = pc.index_in(clips, own["clip_id"].combine_chunks())
        columns[subset] = pc.fill_null(own["reason"].combine_chunks().take(places), UNDECIDED)
    return pa.table(columns)


def _rows(lake: Lake, table: str, batch: str, columns: Sequence[str]) -> "pa.Table":
    """Committed rows of a table of a batch as Arrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from curation.rows import arrow_schema
    from moviegen.contracts.tables import TABLES

    if is_large(lake, table, batch):
        files: list[Path] = [gathered_file(lake, table, batch)]
    else:
        files = lake.files([part for part in lake.committed_parts(table, batch) if part.num_rows])
    schema = pa.schema([arrow_schema(TABLES[table]).field(name) for name in columns])
    found = [pq.ParquetFile(file).read(list(columns)) for file in files]
    return pa.concat_tables(found, promote_options="none").select(list(columns)) if found else schema.empty_table()
