"""The lake: where tables and shards lie, and the protocol by which they appear atomically or not at all.

A task writes a part beside its final place, fsyncs it and renames it; it returns the part's path, keys and SHA-256. The driver
then rewrites the commit file of (table, batch): temporary file, fsync, `os.replace`, fsync of the folder. Readers trust commits
only. A file that no commit names is garbage. `crash_point` marks each place where a crash would matter; tests kill there.
A lake at a url lies in an object store instead (`store.py`); `lake_at` takes either.
"""

import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from moviegen.errors import UsageError
from moviegen.temporary import temporary_beside

from .clip import hash_id
from .shard import check_name
from .store import Store, fetch_all, store_of, url_of
from .tables import TABLES

COMMIT_FORMAT = 1


@dataclass(frozen=True)
class Part:
    """A committed file: the unit of work, retry and resume."""

    path: str
    """Below the lake's root."""
    operation: str
    """What made it: `split`, `score:ocr`, `shard:pretrain_256px`."""
    version: str
    """Hash of the operation's version, parameters and weights."""
    keys: tuple[str, ...]
    """Ids of the inputs that went in, whether or not they gave rows."""
    num_rows: int
    sha256: str


@dataclass(frozen=True)
class Commit:
    """What readers may see of one table in one batch."""

    table: str
    batch: str
    parts: tuple[Part, ...] = field(default=())


def encode_commit(commit: Commit) -> str:
    """The text of a commit file; parts sorted by path, so that the same parts give the same bytes."""
    # `vars`, not `asdict`, which copies every key of every part: a commit is written after each wave
    parts = [vars(part) for part in sorted(commit.parts, key=lambda p: p.path)]
    record = {"format": COMMIT_FORMAT, "table": commit.table, "batch": commit.batch, "parts": parts}
    return json.dumps(record, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def decode_commit(text: str) -> Commit:
    """The record of a commit file; the inverse of `encode_commit`. Raises ValueError when it is not one."""
    try:
        record = json.loads(text)
        if record["format"] != COMMIT_FORMAT:
            raise ValueError(f"commit format {record['format']}, this version reads {COMMIT_FORMAT}")
        parts = tuple(Part(**{**part, "keys": tuple(part["keys"])}) for part in record["parts"])
        return Commit(record["table"], record["batch"], parts)
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"not a commit file: {error!r}") from error


def lake_at(place: Path | str) -> "Lake":
    """The lake in a folder, or at a url such as `s3://bucket/lake`."""
    store = store_of(place)
    return Lake(Path(place)) if store is None else Lake(store.scratch, store)


def existing_lake(root: Path | str) -> "Lake":
    """The lake at `root`. Raises UsageError that tells a wrong path from a folder that is no lake."""
    if url_of(root) is not None:
        lake = lake_at(root)
        if not any(lake.batches(table) for table in TABLES):
            raise UsageError(
                f"{lake.place}: no lake there; make one with moviegen curate run --input VIDEOS --lake {lake.place}"
            )
        return lake
    root = Path(root)
    make = f"make one with moviegen curate run --input VIDEOS --lake {root}"
    if root.is_file() or "*" in root.name:
        raise UsageError(
            f"{root}: {'a file' if root.is_file() else 'a pattern'}, no lake; give the folder that has _commits, or {make}"
        )
    if not root.is_dir():
        raise UsageError(
            f"{root}: no such folder, so no lake; is the path right from here ({Path.cwd()})? If so, {make}"
        )
    if not (root / "_commits").is_dir():
        raise UsageError(f"{root}: a folder, but no lake (it has no _commits); {make}")
    return Lake(root)


def crash_point(name: str) -> None:
    """Kills this process when FAULT_AT names the point (`name` or `name#n` for its n-th passing): for kill tests."""
    wanted = os.environ.get("FAULT_AT")
    if not wanted:
        return
    point, _, number = wanted.partition("#")
    if point != name:
        return
    _PASSED[name] = _PASSED.get(name, 0) + 1
    if _PASSED[name] == int(number or 1):
        os.kill(os.getpid(), signal.SIGKILL)


_PASSED: dict[str, int] = {}

WRITE_KINDS = ("part", "shard", "commit", "page", "note", "settings", "index")
"""What `atomic_write` writes: Parquet, tars, commit files, reports and pictures, the note beside a lock, what an operation was told, tables
gathered for queries."""

CRASH_POINTS = (
    *(f"{kind}.{moment}" for kind in WRITE_KINDS for moment in ("written", "synced", "renamed", "settled")),
    "java.built", "java.renamed",
)  # fmt: skip
"""Every place where a crash of curation would matter: after each fsync, rename and commit. The kill tests die at each."""

STORE_CRASH_POINTS = ("lock.taken", "object.put", "commit.written", "commit.renamed")
"""Those of a lake in an object store, beside those of writing in its scratch folder."""


@contextmanager
def atomic_write(path: Path, kind: str = "part") -> Iterator[Path]:
    """Yields a temporary path beside `path`; on success it is synced and renamed to `path`, on failure removed.

    `kind` is one of `WRITE_KINDS`, for the crash points. Raises OSError when the disk refuses; nothing partial then lies under `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        yield temporary
        crash_point(f"{kind}.written")
        _fsync(temporary)
        crash_point(f"{kind}.synced")
        os.replace(temporary, path)
        crash_point(f"{kind}.renamed")
        _fsync(path.parent)
        crash_point(f"{kind}.settled")
    finally:
        temporary.unlink(missing_ok=True)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Lake:
    """Root of all curation tables and shards."""

    root: Path
    """Its folder; of a lake in an object store the scratch folder of this machine."""
    store: Store | None = None
    """Where its files lie for good; None: in `root` itself."""

    @property
    def place(self) -> str:
        """Its url, or its folder, from wherever one looks."""
        return str(self.root.absolute()) if self.store is None else self.store.url

    def file(self, path: str, sha256: str) -> Path:
        """A committed file, to be opened here. In a folder nothing is looked at; from a store it is fetched and compared."""
        return self.root / path if self.store is None else self.store.fetch(path, sha256)

    def publish(self, path: str, sha256: str) -> None:
        """Makes a file that was written below `root` one that every reader can have. In a folder it is."""
        if self.store is not None:
            self.store.publish(path, sha256)

    def part_path(self, table: str, batch: str, operation: str, version: str, keys: Iterable[str]) -> str:
        """Path of the part for these keys, below the root: the same work gives the same name."""
        _check(table, batch)
        label = operation.replace(":", "-")
        return f"{table}/batch={batch}/part-{label}-{hash_id(operation, version, sorted(keys))[:16]}.parquet"

    def commit_path(self, table: str, batch: str) -> Path:
        """Where the commit file of (table, batch) lies."""
        _check(table, batch)
        return self.root / "_commits" / table / f"{batch}.json"

    def commit_text(self, table: str, batch: str) -> str | None:
        """What the commit file of (table, batch) says; None when there is none."""
        path = self.commit_path(table, batch)
        if self.store is not None:
            return self.store.read_text(self._below(path))
        try:
            return path.read_text()
        except FileNotFoundError:
            return None

    def commit_stamp(self, table: str, batch: str) -> tuple[int, object] | None:
        """(size in bytes, what any write of it changes) of the commit file of (table, batch); None when there is none."""
        if self.store is not None:
            text = self.commit_text(table, batch)
            return None if text is None else (len(text.encode()), hash_id(text))
        try:
            status = self.commit_path(table, batch).stat()
        except FileNotFoundError:
            return None
        return status.st_size, (status.st_ino, status.st_size, status.st_mtime_ns)

    def read_commit(self, table: str, batch: str) -> Commit:
        """What is committed of (table, batch); an empty commit when nothing is. Raises UsageError naming a broken file."""
        try:
            text = self.commit_text(table, batch)
            return Commit(table, batch) if text is None else decode_commit(text)
        except ValueError as error:
            raise UsageError(
                f"{self.commit_path(table, batch)}: {error}; is the lake of another version of moviegen? moviegen --version"
            ) from error

    def write_commit(self, commit: Commit) -> bool:
        """Replaces the commit file atomically. Returns False, and touches nothing, when it already says just that."""
        path = self.commit_path(commit.table, commit.batch)
        text = encode_commit(commit)
        if self.store is not None:
            return self.store.replace_text(self._below(path), text)
        if path.exists() and path.read_text() == text:
            return False
        with atomic_write(path, "commit") as temporary:
            temporary.write_text(text)
        return True

    def batches(self, table: str) -> list[str]:
        """Names of the batches with a commit file, sorted."""
        if self.store is not None:
            return [
                name.removesuffix(".json") for name in self.store.names(f"_commits/{table}") if name.endswith(".json")
            ]
        return sorted(path.stem for path in (self.root / "_commits" / table).glob("[!.]*.json"))

    def committed_parts(self, table: str, batch: str | None = None) -> list[Part]:
        """Parts of a table, of one batch or of all, in order of batch and path."""
        names = self.batches(table) if batch is None else [batch]
        return [part for name in names for part in sorted(self.read_commit(table, name).parts, key=lambda p: p.path)]

    def committed_files(self, table: str, batch: str | None = None) -> list[Path]:
        """Paths of a table's committed files: what a reader may open."""
        return self.files(self.committed_parts(table, batch))

    def files(self, parts: Sequence[Part]) -> list[Path]:
        """Committed files, to be opened here."""
        if self.store is None:
            return [self.root / part.path for part in parts]
        return fetch_all(self.store, [(part.path, part.sha256) for part in parts])

    def _below(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _check(table: str, batch: str) -> None:
    if table not in TABLES:
        raise ValueError(f"no table {table!r}; the lake has {', '.join(TABLES)}")
    check_name("batch", batch)


def done_keys(commit: Commit, operation: str, version: str) -> set[str]:
    """Keys whose result is committed by that operation at that version."""
    return {key for part in commit.parts if (part.operation, part.version) == (operation, version) for key in part.keys}


def add_parts(commit: Commit, parts: Iterable[Part]) -> Commit:
    """The commit with parts added; a part of the same path is replaced."""
    by_path = {part.path: part for part in (*commit.parts, *parts)}
    return replace(commit, parts=tuple(by_path[path] for path in sorted(by_path)))


def drop_stale(
    commit: Commit, operation: str, version: str, is_stale: Callable[[Part], bool] = lambda part: False
) -> Commit:
    """The commit without the operation's parts of another version, or that `is_stale` names; other operations' parts stay."""
    kept = [
        part for part in commit.parts if part.operation != operation or (part.version == version and not is_stale(part))
    ]
    return replace(commit, parts=tuple(kept))


def group_keys(
    keys: Sequence[str], max_keys: int, cost: Callable[[str], float] = lambda key: 0.0, max_cost: float = 1.0
) -> list[list[str]]:
    """Sorted keys in groups of at most `max_keys` and about `max_cost`, cut where the keys themselves say so.

    A group ends after a key whose hash says so (on average every `max_keys / 2`), or when it is full. Because a boundary depends
    only on the keys of its own group, taking whole finished groups away leaves the other groups as they were: a run that was
    killed and started again makes the same parts as one that was not.
    """
    if max_keys < 1:
        raise ValueError(f"max_keys is {max_keys}, wanted at least 1")
    groups: list[list[str]] = []
    group: list[str] = []
    spent = 0.0
    period = max(1, max_keys // 2)
    for key in sorted(set(keys)):
        group.append(key)
        spent += cost(key)
        is_boundary = len(group) * 4 >= max_keys and int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % period == 0
        if len(group) >= max_keys or spent >= max_cost or is_boundary:
            groups.append(group)
            group, spent = [], 0.0
    if group:
        groups.append(group)
    return groups
