"""Checks of a whole lake: queries that must return no row, parts and tars that must be what was committed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import Lake, lake_at
from moviegen.contracts.sample import decode_sample
from moviegen.contracts.shard import Shard, ShardError, committed_tar, read_members
from moviegen.contracts.tables import SAMPLES, SET_SAMPLES, SET_SHARDS, SHARDS, TABLES, Table

from .gc import IN_A_STORE, stray_tars
from .rows import arrow_schema, read_table
from .sets import read_set_shard
from .stats.duck import check_names, open_lake, run_check

if TYPE_CHECKING:
    import pyarrow as pa

MAX_ROWS = 3
"""Rows of a failed query that are shown."""


@dataclass(frozen=True)
class Problem:
    """Something that must not be."""

    check: str
    what: str


def check_lake(root: Path, read_media: bool = True) -> list[Problem]:
    """Every problem of a lake. With `read_media`, each tar is hashed and each of its samples is opened."""
    lake = lake_at(root)
    found = list(part_problems(lake))
    # a part that cannot be fetched cannot be asked either; in a folder one of other bytes can
    if not any(lake.store is not None or "missing" in problem.what for problem in found):
        found += drifted if (drifted := list(schema_problems(lake))) else query_problems(root)
        found += [*shard_problems(lake), *set_problems(lake)] if read_media else ()
    return found


def stray_notice(lake: Lake) -> str:
    """What to say of tars that no commit names; empty where there are none. No problem: no reader opens them, and runs leave some."""
    strays = stray_tars(lake)
    if not strays:
        return ""
    tars = "1 tar that no commit names" if len(strays) == 1 else f"{len(strays)} tars that no commit names"
    advice = f"`moviegen curate gc {lake.place}` deletes those older than a day" if lake.store is None else IN_A_STORE
    return (
        f"{tars} ({sum(strays.values()) / 1e6:,.1f} MB), such as {min(strays)}: left by a killed run, replaced, or not committed yet. "
        f"No reader opens them; {advice}"
    )


def part_problems(lake: Lake) -> Iterator[Problem]:
    """Committed parts that are missing, changed, or of another number of rows."""
    import pyarrow.parquet as pq

    for table in TABLES:
        for part in lake.committed_parts(table):
            try:
                path = _confirmed(lake, part.path, part.sha256)
            except ValueError as error:
                yield Problem("parts", str(error))
                continue
            if not path.exists():
                yield Problem("parts", f"{path}: committed part is missing; run the command that writes {table} again")
            elif file_sha256(path) != part.sha256:
                yield Problem("parts", f"{path}: its bytes are not those committed (sha256 differs)")
            elif (num_rows := pq.ParquetFile(path).metadata.num_rows) != part.num_rows:
                yield Problem("parts", f"{path}: {num_rows} rows, committed were {part.num_rows}")


def schema_problems(lake: Lake) -> Iterator[Problem]:
    """Committed parts whose columns are not those of `contracts/tables.py`: another version wrote them, or somebody else."""
    import pyarrow.parquet as pq

    for table in TABLES:
        for part in lake.committed_parts(table):
            try:
                found = pq.read_schema(lake.file(part.path, part.sha256))
            except (OSError, ValueError):
                continue  # missing or changed: `part_problems` says so
            if odd := differences(TABLES[table], column_types(found)):
                yield Problem(
                    "schema",
                    f"{part.path}: {'; '.join(odd)}; write {table} again: moviegen curate {TABLES[table].written_by[0]}",
                )


def differences(table: Table, found: Mapping[str, str]) -> list[str]:
    """How columns that were found, name -> Arrow type, differ from a table's."""
    wanted = column_types(arrow_schema(table))
    lacking = [f"no column {name}" for name in wanted if name not in found]
    odd = [f"unknown column {name}" for name in found if name not in wanted]
    other = [
        f"{name} is {found[name]}, wanted {kind}" for name, kind in wanted.items() if found.get(name, kind) != kind
    ]
    return lacking + odd + other


def column_types(schema: "pa.Schema") -> dict[str, str]:
    """Column -> type in words; Parquet calls what is in a list by another name."""
    return {field.name: str(field.type).replace("<element: ", "<item: ") for field in schema}


def query_problems(root: Path) -> Iterator[Problem]:
    """Rows that the queries in `stats/sql/checks` find."""
    connection = open_lake(root)
    try:
        for name in check_names():
            answer = run_check(connection, name)
            if answer.rows:
                rows = "; ".join(str(record) for record in answer.records()[:MAX_ROWS])
                yield Problem(name, f"{len(answer.rows)} rows, such as {rows}")
    finally:
        connection.close()


def shard_problems(lake: Lake) -> Iterator[Problem]:
    """Tars that are missing or changed, samples that cannot be read or are not those the `samples` table lists."""
    listed: dict[str, dict[str, str]] = {}
    for row in read_table(lake, SAMPLES.name, columns=["path", "clip_id", "caption"]):
        listed.setdefault(row["path"], {})[row["clip_id"]] = row["caption"]
    for row in read_table(lake, SHARDS.name):
        try:
            _confirmed(lake, row["path"], row["sha256"])
            shard = Shard(**row)
            found = dict(_captions(committed_tar(shard, lake), shard.num_samples))
        except ValueError as error:
            yield Problem("shards", str(error))
            continue
        wanted = listed.get(row["path"], {})
        if odd := sorted({key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key)}):
            yield Problem(
                "shards", f"{row['path']}: tar and samples table differ in {len(odd)} clips, such as {odd[0]}"
            )


def set_problems(lake: Lake) -> Iterator[Problem]:
    """Tars of the sets that are missing or changed, samples that cannot be read or are not those `set_samples` lists."""
    listed: dict[str, set[str]] = {}
    for row in read_table(lake, SET_SAMPLES.name, columns=["path", "key"]):
        listed.setdefault(row["path"], set()).add(row["key"])
    for row in read_table(lake, SET_SHARDS.name):
        try:
            path = _confirmed(lake, row["path"], row["sha256"])
            if not path.is_file() or file_sha256(path) != row["sha256"]:
                raise ShardError(
                    f"{path}: missing, or not the bytes committed; write it again: moviegen curate {row['kind']}"
                )
            found = {sample[0].key for sample in read_set_shard(path, row["kind"])}
        except ValueError as error:
            yield Problem("sets", str(error))
            continue
        if odd := sorted(found ^ listed.get(row["path"], set())):
            yield Problem("sets", f"{row['path']}: tar and set_samples differ in {len(odd)} samples, such as {odd[0]}")


def _confirmed(lake: Lake, path: str, sha256: str) -> Path:
    """A committed file, to be opened here, that is still where it was committed. Raises ValueError when its bytes are others there;
    that there is no such file is for the caller to see."""
    if lake.store is None:
        return lake.root / path
    try:
        lake.store.confirm(path, sha256)
        return lake.store.fetch(path, sha256)
    except FileNotFoundError:
        return Path(f"{lake.place}/{path}")


def _captions(path: Path, num_samples: int) -> Iterator[tuple[str, str]]:
    """(key, caption) of each sample of a tar."""
    for key, members in read_members(path, num_samples=num_samples):
        try:
            meta, caption, _, _ = decode_sample(members)
        except ValueError as error:
            raise ShardError(f"{path}: sample {key}: {error}") from error
        if meta.clip_id != key:
            raise ShardError(f"{path}: sample {key} says it is {meta.clip_id}")
        yield key, caption
