"""`moviegen curate gc`: deletes what no commit names. Committed parts and tars are never touched, nor files that are not the lake's own."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from curation.rows import read_table
from moviegen.contracts.lake import Lake, existing_lake
from moviegen.contracts.store import url_of
from moviegen.contracts.tables import TABLES
from moviegen.errors import UsageError
from moviegen.temporary import is_temporary, may_be_in_use

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
"""Seconds in a unit of `older_than`."""

LISTED = 20
"""Files named one by one; `--json` has all of them."""


@dataclass(frozen=True)
class GcConfig:
    """What is deleted of which lake."""

    lake: Path
    """Folder of the lake."""
    older_than: str = "1d"
    """Age from which a file may go, a number and s, m, h, d or w: a reader may still hold what was replaced just now."""

    def __post_init__(self) -> None:
        age_seconds(self.older_than)


def age_seconds(text: str) -> float:
    """Seconds of `90m`, `1d`. Raises ValueError saying what is wanted."""
    number, unit = text[:-1], text[-1:]
    try:
        seconds = float(number) * UNITS[unit]
    except (ValueError, KeyError) as error:
        raise ValueError(f"older_than is {text!r}, wanted a number and one of {', '.join(UNITS)}: 1d") from error
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"older_than is {text!r}, wanted 0s or more")
    return seconds


@dataclass(frozen=True)
class Garbage:
    """A file that no commit names."""

    path: Path
    kind: str
    """part, tar, temporary, record (of an operation) or index."""
    size_bytes: int
    age_s: float


def gc(argv: Sequence[str]) -> int:
    """`moviegen curate gc LAKE`; returns the exit code."""
    from moviegen.config import parse_config

    examples = [
        "moviegen curate gc lake/ --dry-run",
        "moviegen curate gc lake/",
        "moviegen curate gc lake/ --older_than 2h --json",
    ]

    def add_flags(parser) -> None:
        parser.add_argument("--dry_run", action="store_true", help="list what would go; delete nothing")
        parser.add_argument("--json", action="store_true", help="one JSON object with every file")

    config, flags = parse_config(
        GcConfig, argv, prog="moviegen curate gc", summary="Delete what no commit of a lake names.",
        examples=examples, add_flags=add_flags, positionals=["lake"],
    )  # fmt: skip
    try:
        found = collect_garbage(config, dry_run=flags.dry_run)
    except ValueError as error:
        raise UsageError(f"{error}; nothing was deleted") from error
    sys.stdout.write(_as_json(found, flags.dry_run) if flags.json else _as_text(found, config, flags.dry_run))
    return 0


def collect_garbage(config: GcConfig, *, dry_run: bool = False, now: float | None = None) -> list[Garbage]:
    """What no commit names and is old enough, deleted unless `dry_run`, under the lock of the lake's runs.

    Raises UsageError when a run holds the lock, ValueError on a commit that cannot be read: then nothing is deleted.
    """
    from curation.jobs.session import hold_lock

    if (url := url_of(config.lake)) is not None:
        raise UsageError(
            f"{url}: gc deletes files of a lake in a folder. In a bucket nothing is deleted; what no commit names there costs room only"
        )
    lake = existing_lake(config.lake)
    with nullcontext() if dry_run else hold_lock(config.lake, sweep=False):
        bound = age_seconds(config.older_than)
        found = [each for each in garbage(lake, time.time() if now is None else now) if each.age_s >= bound]
        if not dry_run:
            named = named_files(lake)  # read again, after the list was made
            for each in found:
                assert each.path not in named, f"{each.path} is committed"
                each.path.unlink(missing_ok=True)
            _remove_empty_folders(lake, {each.path.parent for each in found})
    return found


def named_files(lake: Lake) -> set[Path]:
    """Every file that a commit names: parts, and the tars that committed rows name."""
    parts = {lake.root / part.path for table in TABLES for part in lake.committed_parts(table)}
    return parts | {lake.root / path for path in named_tars(lake)}


def named_tars(lake: Lake) -> set[str]:
    """Paths below the lake's root of the tars that committed rows name."""
    return {row["path"] for table in ("shards", "set_shards") for row in read_table(lake, table, columns=["path"])}


TAR_FOLDERS = ("shards", "sets")

IN_A_STORE = "delete them with your store's own tools when no run writes to this lake"
"""What to do about tars that no commit names where gc deletes nothing."""


def stray_tars(lake: Lake) -> dict[str, int]:
    """Bytes of each tar that no commit names, by its path below the lake's root: what a killed run has left, a new selection has
    replaced, or a run is about to commit."""
    named, sizes = named_tars(lake), {}
    for folder in TAR_FOLDERS:
        sizes |= _sizes_below(lake.root, folder) if lake.store is None else lake.store.sizes(folder)
    return {path: size for path, size in sorted(sizes.items()) if path.endswith(".tar") and path not in named}


def _sizes_below(root: Path, folder: str) -> dict[str, int]:
    # what lies behind a link is somebody else's
    files = [path for path in (root / folder).rglob("*.tar") if path.is_file() and not path.is_symlink()]
    return {path.relative_to(root).as_posix(): path.stat().st_size for path in files}


def garbage(lake: Lake, now: float) -> Iterator[Garbage]:
    """Files of the lake's own kinds that no commit names, in order of their paths."""
    from curation.jobs.settings import FOLDER as RECORDS
    from curation.stats.compact import FOLDER as INDEX

    named = named_files(lake)
    fresh = _fresh_names(lake)
    for path in sorted(lake.root.rglob("*")):
        if path.is_symlink() or not path.is_file():  # what lies behind a link is somebody else's
            continue
        top = path.relative_to(lake.root).parts[0]
        if is_temporary(path):
            if may_be_in_use(path, now):  # a reader's, who holds no lock, or of another machine: a day at most
                continue
            kind = "temporary"
        elif top in TABLES and path.suffix == ".parquet" and path not in named:
            kind = "part"
        elif top in TAR_FOLDERS and path.suffix == ".tar" and path not in named:
            kind = "tar"
        elif top == RECORDS and path.suffix == ".json" and path.name not in fresh:
            kind = "record"
        elif top == INDEX and path.suffix == ".parquet" and path.name not in fresh:
            kind = "index"
        else:
            continue
        status = path.stat()
        yield Garbage(path, kind, status.st_size, now - status.st_mtime)


def _fresh_names(lake: Lake) -> set[str]:
    """Names of the records of operations that commits name, and of index files that are up to date."""
    from curation.jobs.settings import record_path
    from curation.stats.columns import INDEXED
    from curation.stats.compact import GATHERED, commit_stamp

    done = {(part.operation, part.version) for table in TABLES for part in lake.committed_parts(table)}
    records = {record_path(lake, *each).name for each in done}
    groups = [*((table,) for table in GATHERED), *INDEXED.values()]
    batches = {batch for table in TABLES for batch in lake.batches(table)}
    return records | {f"{commit_stamp(lake, tables, batch)}.parquet" for tables in groups for batch in batches}


def _remove_empty_folders(lake: Lake, folders: set[Path]) -> None:
    for folder in sorted(folders, key=lambda path: -len(path.parts)):
        while folder != lake.root and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


def _as_json(found: list[Garbage], dry_run: bool) -> str:
    files = [vars(each) | {"path": str(each.path)} for each in found]
    total = {"deleted": not dry_run, "num_files": len(found), "size_bytes": sum(each.size_bytes for each in found)}
    return json.dumps(total | {"files": files}, indent=1) + "\n"


def _as_text(found: list[Garbage], config: GcConfig, dry_run: bool) -> str:
    lines = [f"{each.kind:<10} {each.size_bytes:>13,}  {each.path}" for each in found[:LISTED]]
    if len(found) > LISTED:
        lines.append(f"and {len(found) - LISTED} more")
    counts = Counter(each.kind for each in found)
    told = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
    verb = "would delete" if dry_run else "deleted"
    size = sum(each.size_bytes for each in found)
    lines.append(
        f"{verb} {len(found)} files, {size:,} bytes{f' ({told})' if told else ''}, older than {config.older_than}"
    )
    return "\n".join(lines) + "\n"
