"""The protocol of every job: wanted keys minus done keys -> groups -> tasks -> parts -> commit.

A task computes the rows of a few inputs, writes one Parquet part a table and returns the parts; the driver commits them after each
wave. Nothing here knows Spark: a runner maps task texts to result texts, on a cluster or in this process. Killed anywhere, the
same command goes on with what is not committed, and ends with the same parts as a run that was never killed.
"""

import importlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

from curation.remote import as_given
from curation.rows import read_files, write_rows
from moviegen.contracts.lake import Commit, Lake, Part, add_parts, drop_stale, encode_commit, lake_at
from moviegen.contracts.tables import TABLES
from moviegen.disk import writing
from moviegen.errors import DiskError, UsageError
from moviegen.temporary import remove_leftovers

ID_COLUMNS = {
    "chunks": "video_id",
    "shots": "video_id",
    "signals": "video_id",
    "clips": "video_id",
    "failures": "input_id",
}
"""The column that holds the id at the beginning of a part's key; `clip_id` where not named."""

MAX_MESSAGE_CHARS = 600
"""Longest message kept of a failure."""


@dataclass(frozen=True)
class Operation:
    """What is done to each input: its name, its version, the tables it fills and the function that does it."""

    name: str
    """`split`, `score:ocr`, `shard:demo`."""
    version: str
    """Hash of the code's version, the parameters and the weights: another version is another result."""
    tables: tuple[str, ...]
    """Tables it writes, in the order they are committed: what readers look at comes last."""
    function: str
    """Dotted path `module:function` of `Task -> {table: rows}`, imported where the task runs."""
    params: dict = field(default_factory=dict)
    """Plain JSON, the same for every task."""


@dataclass(frozen=True)
class Task:
    """One group of inputs of one operation: the unit of work, retry and resume."""

    lake_root: str
    """Its url, or its folder from wherever the task runs."""
    batch: str
    operation: Operation
    keys: tuple[str, ...]
    inputs: tuple[dict, ...]
    """Plain JSON, one an input: paths and spans, never media."""
    extra: dict = field(default_factory=dict)
    """Plain JSON of this task alone: the number of a shard."""

    @property
    def lake(self) -> Lake:
        """The lake it writes to."""
        return lake_at(self.lake_root)


Rows = dict[str, list[dict]]
"""Rows by table."""


class Runner(Protocol):
    """Runs tasks somewhere. `wave_size` tasks are committed together."""

    @property
    def is_started(self) -> bool:
        """Whether its first task would have nothing to wait for."""

    @property
    def wave_size(self) -> int:
        """Tasks between two commits."""

    @property
    def waves_ahead(self) -> int:
        """Waves that are begun while one is waited for, so that no core idles at the end of each."""

    def begin(self, texts: Sequence[str], label: str) -> Callable[[], Iterable[str]]:
        """Begins a wave; what comes back waits for it and gives the result text of each task text, in any order. `label` is for people
        who watch."""


class LocalRunner:
    """Runs tasks in this process, one after another: small runs, tests, reading a stack trace."""

    is_started = True
    wave_size = 4
    waves_ahead = 0

    def begin(self, texts: Sequence[str], label: str) -> Callable[[], Iterable[str]]:
        """The work itself is done when it is asked for."""
        return lambda: self.map(texts, label)

    def map(self, texts: Sequence[str], label: str) -> Iterator[str]:
        """The result text of each task text, in order."""
        return map(run_task, texts)


def encode_task(task: Task) -> str:
    """A task as JSON text."""
    return json.dumps(asdict(task), ensure_ascii=True)


def decode_task(text: str) -> Task:
    """The task of a JSON text; the inverse of `encode_task`."""
    values = json.loads(text)
    operation = values["operation"]
    values["operation"] = Operation(**{**operation, "tables": tuple(operation["tables"])})
    return Task(**{**values, "keys": tuple(values["keys"]), "inputs": tuple(values["inputs"])})


def run_task(text: str) -> str:
    """Computes a task's rows, writes one part a table and returns the parts as JSON: `[[table, part], ...]`."""
    task = decode_task(text)
    rows = load_function(task.operation.function)(task)
    return json.dumps([[table, asdict(part)] for table, part in write_parts(task, rows)])


def load_function(path: str) -> Callable:
    """The function of a dotted path `module:function`."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def write_parts(task: Task, rows: Rows) -> list[tuple[str, Part]]:
    """Writes one Parquet part a table of the task's operation; (table, part) of each."""
    return [(table, _write_part(task, table, rows[table])) for table in task.operation.tables]


def _write_part(task: Task, table: str, rows: list[dict]) -> Part:
    operation = task.operation
    path = task.lake.part_path(table, task.batch, operation.name, operation.version, task.keys)
    sha256 = write_rows(task.lake.root / path, TABLES[table], rows)
    task.lake.publish(path, sha256)
    return Part(path, operation.name, operation.version, task.keys, len(rows), sha256)


def attempt(stage: str, input_id: str, call: Callable[[], object], failures: list[dict]) -> object | None:
    """What `call` returns; when it raises, None and a row in `failures`. What is the user's to mend passes: UsageError, DiskError."""
    try:
        return call()
    except (UsageError, DiskError):
        raise
    except Exception as error:
        message = " ".join(as_given(str(error)).split()) or "no message"
        failures.append(
            {
                "stage": stage,
                "input_id": input_id,
                "error": type(error).__name__,
                "message": message[:MAX_MESSAGE_CHARS],
            }
        )
        return None


def valid_parts(lake: Lake, table: str, batch: str, operation: Operation, valid: set[str], trim: bool) -> list[Part]:
    """Committed parts of an operation that still hold: of its version, made of valid keys only (or, trimmed, of any)."""
    found = []
    for part in lake.read_commit(table, batch).parts:
        if (part.operation, part.version) == (operation.name, operation.version):
            keys = set(part.keys)
            if keys <= valid or (trim and keys & valid):
                found.append(part)
    return found


def pending_keys(
    lake: Lake, batch: str, operation: Operation, wanted: set[str], valid: set[str] | None = None
) -> set[str]:
    """Keys of `wanted` that are not committed in all of the operation's tables.

    `valid` are the keys whose rows may stay; given, a part with some other keys is trimmed later instead of made again.
    """
    done = set(wanted)
    for table in operation.tables:
        parts = valid_parts(lake, table, batch, operation, wanted if valid is None else valid, trim=valid is not None)
        done &= {key for part in parts for key in part.keys}
    return wanted - done


def make_task(
    lake: Lake, batch: str, operation: Operation, keys: Sequence[str], inputs: dict[str, dict], **extra: object
) -> Task:
    """The task of a group of keys."""
    return Task(lake.place, batch, operation, tuple(keys), tuple(inputs[key] for key in keys), extra)


def run_tasks(
    tasks: Sequence[Task], runner: Runner, label: str, on_wave: Callable[[list[Task]], None] = lambda tasks: None
) -> None:
    """Runs tasks in waves, in order; after each wave its parts are committed. Tasks of several operations may be mixed.

    A commit names every part there is, so its cost grows with the batch: where it costs more than `_MAX_COMMIT_SHARE` of the work,
    waves become longer.
    """
    todo, size = list(tasks), runner.wave_size
    begun: deque[tuple[list[Task], Callable[[], Iterable[str]]]] = deque()
    start = time.perf_counter()
    while todo or begun:
        while todo and len(begun) <= runner.waves_ahead:
            wave, todo = todo[:size], todo[size:]
            begun.append((wave, runner.begin([encode_task(task) for task in wave], label)))
        wave, wait = begun.popleft()
        results = [json.loads(text) for text in wait()]
        worked = time.perf_counter()
        commit_parts(wave, [(table, _part(values)) for result in results for table, values in result])
        on_wave(wave)
        size = next_wave_size(size, worked - start, time.perf_counter() - worked)
        start = time.perf_counter()


_MAX_COMMIT_SHARE = 0.02
_NOTICED_S = 0.1


def next_wave_size(size: int, work_s: float, commit_s: float) -> int:
    """Tasks of the next wave, after one of `size` whose work and whose commit took so long."""
    return 2 * size if commit_s > max(_NOTICED_S, _MAX_COMMIT_SHARE * work_s) else size


def _part(values: dict) -> Part:
    return Part(**{**values, "keys": tuple(values["keys"])})


def commit_parts(wave: Sequence[Task], parts: Sequence[tuple[str, Part]]) -> None:
    """Adds parts to the commits of their tables, table by table in the order of the operations."""
    lake, batch = wave[0].lake, wave[0].batch
    for table in dict.fromkeys(name for task in wave for name in task.operation.tables):
        new = [part for name, part in parts if name == table]
        _commit(lake, add_parts(lake.read_commit(table, batch), new))


def _commit(lake: Lake, commit: Commit) -> None:
    with writing(lake.commit_path(commit.table, commit.batch), lambda: len(encode_commit(commit))):
        lake.write_commit(commit)


def finish(lake: Lake, batch: str, operation: Operation, valid: set[str], trim: bool) -> None:
    """Drops what no longer holds: other versions of the operation, and rows of keys that are not valid any more."""
    for table in operation.tables:
        commit = lake.read_commit(table, batch)
        kept = valid_parts(lake, table, batch, operation, valid, trim)
        trimmed = [_trim(lake, table, batch, part, valid) for part in kept]
        commit = drop_stale(commit, operation.name, operation.version, lambda part: True)
        _commit(lake, add_parts(commit, trimmed))


def _trim(lake: Lake, table: str, batch: str, part: Part, valid: set[str]) -> Part:
    """The part without the rows of keys that are gone, under the name of the keys that are left."""
    keys = tuple(key for key in part.keys if key in valid)
    if keys == part.keys:
        return part
    column, ids = ID_COLUMNS.get(table, "clip_id"), {id_of(key) for key in keys}
    rows = [row for row in read_files([lake.file(part.path, part.sha256)], TABLES[table]) if row[column] in ids]
    path = lake.part_path(table, batch, part.operation, part.version, keys)
    sha256 = write_rows(lake.root / path, TABLES[table], rows)
    lake.publish(path, sha256)
    return replace(part, path=path, keys=keys, num_rows=len(rows), sha256=sha256)


def id_of(key: str) -> str:
    """The id at the beginning of a key: a key is an id, or `<id>-<hash of what else went in>`."""
    return key.partition("-")[0]


def sweep_temporaries(lake: Lake) -> int:
    """Removes temporary files that killed tasks left behind; how many. Call it under the run's lock. Those of processes that live stay:
    readers hold no lock, and write indices and fetch; those of other machines for a day."""
    return remove_leftovers(lake.root.rglob(".*.tmp"))
