"""Rows of the lake's tables as Arrow and Parquet: schemas made from `contracts/tables.py`, files with the same bytes for the same rows."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import Lake, atomic_write
from moviegen.contracts.table import Table
from moviegen.contracts.tables import TABLES
from moviegen.disk import writing

if TYPE_CHECKING:
    import pyarrow as pa


def arrow_schema(table: Table) -> "pa.Schema":
    """The Arrow schema of a table; each field carries its meaning and unit as metadata."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "int32": pa.int32(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
        "list<float32>": pa.list_(pa.float32()),
        "list<int64>": pa.list_(pa.int64()),
    }
    return pa.schema(
        [
            pa.field(c.name, types[c.type], nullable=c.nullable, metadata={"meaning": c.meaning, "unit": c.unit})
            for c in table.columns
        ],
        metadata={"table": table.name},
    )


def write_rows(path: Path, table: Table, rows: Sequence[dict]) -> str:
    """Writes rows, sorted by the table's key, as one Parquet file that appears atomically. Returns its SHA-256.

    Raises ValueError naming the column when a row is not the table's, DiskError when the disk refuses.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for row in rows:
        table.check_row(row)
    ordered = sorted(rows, key=lambda row: tuple(row[name] for name in table.key))
    content = pa.Table.from_pylist(ordered, schema=arrow_schema(table))
    with writing(path, lambda: content.nbytes), atomic_write(path) as temporary:
        pq.write_table(content, temporary, compression="zstd")
    return file_sha256(path)


def read_files(
    files: Iterable[Path], table: Table, columns: Sequence[str] | None = None, **only: Iterable[str]
) -> list[dict]:
    """Rows of Parquet files in order. `only` keeps rows whose column is one of the values: `video_id={...}`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    filters = [(name, "in", sorted(values)) for name, values in only.items()] or None
    names = list(columns) if columns else [c.name for c in table.columns]
    found = [pq.ParquetFile(file).read(names) if filters is None else _filtered(file, names, filters) for file in files]
    return pa.concat_tables(found).to_pylist() if found else []


def _filtered(file: Path, names: list[str], filters: list) -> "pa.Table":
    import pyarrow.parquet as pq

    # partitioning=None: `batch=<B>` in the path is no column of ours
    return pq.read_table(file, columns=names, filters=filters, partitioning=None)


def read_table(lake: Lake, name: str, batch: str | None = None, columns: Sequence[str] | None = None) -> list[dict]:
    """Committed rows of a table, of one batch or of all. Nothing that no commit names is read, nor a part without rows."""
    files = lake.files([part for part in lake.committed_parts(name, batch) if part.num_rows])
    return read_files(files, TABLES[name], columns)


def read_parts(lake: Lake, name: str, batch: str, columns: Sequence[str]) -> "Iterator[pa.Table]":
    """The same of one batch as Arrow, part by part: for tables of millions of rows, which as dicts would not fit."""
    import pyarrow.parquet as pq

    for part in lake.committed_parts(name, batch):
        if part.num_rows:
            yield pq.ParquetFile(lake.file(part.path, part.sha256)).read(list(columns))


def read_video(lake: Lake, name: str, video_id: str) -> list[dict]:
    """Committed rows of one video in `shots`, `signals` or `clips`, whose parts have its id in their keys: no other part is opened."""
    parts = [part for part in lake.committed_parts(name) if any(key.startswith(video_id) for key in part.keys)]
    return read_files(lake.files(parts), TABLES[name], video_id=[video_id])
