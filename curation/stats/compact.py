"""Large tables in one sorted file a batch: thousands of small parts are slow to open, so what they hold is gathered once.

The files lie in `_index` of the lake and may be deleted at any time. Each is named after the commit it was made of, so a stale one is
never read; a new commit of one batch gathers that batch alone. Small tables are read from their parts.
"""

import logging
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from curation.rows import arrow_schema
from moviegen.contracts.clip import hash_id
from moviegen.contracts.lake import Lake, Part, atomic_write
from moviegen.contracts.tables import TABLES
from moviegen.disk import writing
from moviegen.errors import DiskError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "_index"
"""Where the files lie, below the lake's root: of a lake in an object store in the scratch folder of each machine."""

GATHERED = ("videos", "shots", "clips", "scores", "selection", "captions", "samples", "failures")
"""Tables of a row or some a clip. Those with a vector or a signal in each row would be copied whole for a look at a few: they are not."""

LARGE_COMMIT_BYTES = 1 << 18
"""A commit file of this size names some hundred parts or more: then a batch is gathered. Fewer are opened as quickly."""

ROW_GROUP = 1 << 15
"""Rows that a look-up of one clip reads of a file."""

log = logging.getLogger(__name__)


def table_files(lake: Lake, table: str) -> list[Path]:
    """The files that hold a table's committed rows: gathered ones of large batches, parts of the others.

    Raises UsageError when a committed part is not there.
    """
    return [file for batch in lake.batches(table) for file in _batch_files(lake, table, batch)]


def _batch_files(lake: Lake, table: str, batch: str) -> list[Path]:
    large = is_large(lake, table, batch)
    if table not in GATHERED or not large:
        return _parts(lake, table, batch, check=not large)
    try:
        return [gathered_file(lake, table, batch)]
    except (OSError, DiskError) as error:
        log.warning("%s: %s cannot be gathered there (%s); its parts are read one by one", lake.place, table, error)
        return _parts(lake, table, batch, check=False)


def is_large(lake: Lake, table: str, batch: str) -> bool:
    """Does the commit of (table, batch) name so many parts that they are gathered?"""
    stamp = lake.commit_stamp(table, batch)
    return stamp is not None and stamp[0] >= LARGE_COMMIT_BYTES


def _parts(lake: Lake, table: str, batch: str, check: bool) -> list[Path]:
    return _existing(lake, table, lake.committed_parts(table, batch), check)


def _existing(lake: Lake, table: str, parts: Sequence[Part], check: bool = True) -> list[Path]:
    """The parts' files, to be opened here. Raises UsageError when one is not there; in a folder nothing is looked at unless `check`."""
    otherwise = f"committed, and not there; run the command that writes {table} again"
    try:
        files = [path.resolve() for path in lake.files(parts)]
    except FileNotFoundError as error:  # of an object store
        raise UsageError(f"{error}: {otherwise}") from error
    except ValueError as error:
        raise UsageError(f"{error}; moviegen curate check tells what else is not as committed") from error
    if check and (missing := [file for file in files if not file.exists()]):
        raise UsageError(f"{missing[0]}: {otherwise}")
    return files


def gathered_file(lake: Lake, table: str, batch: str) -> Path:
    """The file with the rows of (table, batch), sorted by the table's key; made when the commit is newer."""
    return index_file(lake, table, batch, (table,), partial(_gather, lake, table, batch))


def index_file(lake: Lake, name: str, batch: str, tables: Sequence[str], make) -> Path:
    """The file `name` of a batch, made of what is committed of `tables`; `make()` gives its Arrow table where there is none yet."""
    folder = lake.root.resolve() / FOLDER / name / f"batch={batch}"
    path = folder / f"{commit_stamp(lake, tables, batch)}.parquet"
    if not path.exists():
        import pyarrow.parquet as pq

        start = time.perf_counter()
        content = make()
        with writing(path, lambda: content.nbytes), atomic_write(path, "index") as temporary:
            pq.write_table(content, temporary, compression="zstd", row_group_size=ROW_GROUP)
        _forget_others(path)
        seconds = time.perf_counter() - start
        told = f"{lake.place}: {name} of batch {batch} gathered in one file, {content.num_rows} rows, {seconds:.1f} s"
        print(told, file=sys.stderr, flush=True)
    return path


def commit_stamp(lake: Lake, tables: Sequence[str], batch: str) -> str:
    """A name for just what is committed of these tables of a batch: any write of a commit file gives another."""
    stamps = [lake.commit_stamp(table, batch) for table in tables]
    return hash_id(list(tables), [stamp[1] for stamp in stamps if stamp is not None])[:16]


STALE_S = 3600.0
"""Seconds after which a file made of an older commit goes: somebody may be reading it."""


def _forget_others(path: Path) -> None:
    for other in path.parent.glob("*.parquet"):
        if other != path and time.time() - other.stat().st_mtime > STALE_S:
            other.unlink(missing_ok=True)


def _gather(lake: Lake, table: str, batch: str) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = arrow_schema(TABLES[table])
    parts = _existing(lake, table, [part for part in lake.committed_parts(table, batch) if part.num_rows])
    found = [pq.ParquetFile(part).read().cast(schema) for part in parts]
    content = pa.concat_tables(found) if found else schema.empty_table()
    return content.sort_by([(name, "ascending") for name in TABLES[table].key])
