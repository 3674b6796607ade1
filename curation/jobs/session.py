"""One run of jobs over one batch of a lake: the lock, the runner, and how an operation's inputs become tasks."""

import json
import os
import socket
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from curation.config import CurateConfig
from curation.progress import Progress
from curation.rows import read_table
from moviegen.contracts.lake import Lake, atomic_write, group_keys, lake_at
from moviegen.disk import writing, writing_below
from moviegen.errors import BusyError
from moviegen.messages import printable

from .parts import (
    LocalRunner,
    Operation,
    Rows,
    Runner,
    Task,
    commit_parts,
    finish,
    id_of,
    make_task,
    pending_keys,
    run_tasks,
    sweep_temporaries,
    write_parts,
)
from .settings import record_operation

if TYPE_CHECKING:
    from curation.forecast import Forecast

SECONDS_PER_GIGAPIXEL = 8.0
"""CPU-seconds of decoding and measuring H.264: 5.6 at 720p to 10.7 at 360p (`benchmarks/curation_cost.py`)."""

LOCK_FILE = ".lock"
"""Held by the run that writes; beside it `.lock.json` says who that is."""


@dataclass(frozen=True)
class Work:
    """An operation and what it is wanted for."""

    operation: Operation
    inputs: dict[str, dict]
    """Plain JSON by key."""
    valid: set[str] | None = None
    """Keys whose rows may stay though they are not asked for now; None: the wanted keys alone. Given, a part with keys that
    are gone is trimmed; None, it is made again."""
    cost: Callable[[str], float] = lambda key: 0.0
    """Gigapixels to decode for a key."""
    extra_s: float = 0.0
    """CPU-seconds that a key costs beside."""
    group: Callable[[list[str]], list[tuple[list[str], dict]]] | None = None
    """Groups of pending keys, each with the task's `extra`; None: by number and cost."""

    def seconds(self, keys: Collection[str]) -> float:
        """CPU-seconds that these keys cost, roughly."""
        return sum(map(self.cost, keys)) * SECONDS_PER_GIGAPIXEL + self.extra_s * len(keys)


@dataclass(frozen=True)
class Outcome:
    """What became of one operation."""

    operation: str
    num_wanted: int
    num_done_before: int
    num_failed: int
    seconds: float

    @property
    def num_now(self) -> int:
        """Inputs done by this run."""
        return self.num_wanted - self.num_done_before


@dataclass(frozen=True)
class Planned:
    """What a dry run found to do for one operation."""

    operation: str
    inputs: tuple[dict, ...]
    """Plain JSON of what is pending."""
    seconds: float
    """CPU-seconds, predicted."""


@dataclass
class Session:
    """What every job needs: the config, the lake, somewhere to run tasks, someone to tell."""

    config: CurateConfig
    runner: Runner
    progress: Progress = field(default_factory=Progress)
    dry_run: bool = False
    retry_failed: bool = False
    """Inputs that failed before are done again."""
    replace: bool = False
    """Clips that other settings, or another input folder, gave may go."""
    outcomes: list[Outcome] = field(default_factory=list)
    did_work: bool = False
    """Something was committed that was not before."""
    planned: list[Planned] = field(default_factory=list)
    """By a dry run alone: what is pending of the inputs that are known by now."""
    here_s: float = 0.0
    """CPU-seconds of work, predicted, that this process has done itself."""
    is_refused: bool = False
    """A dry run has met what a run would end at."""
    has_plan: bool = False
    """A dry run has found something to do: what later jobs will see is not known yet."""

    planned_kept: frozenset[str] | None = None
    """What the filter would keep, where a dry run has found that it would keep other clips than those that are committed."""

    forecast: "Forecast | None" = None
    """What the new videos were expected to bring."""

    @property
    def lake(self) -> Lake:
        """The lake of the config."""
        return lake_at(self.config.lake)

    @property
    def batch(self) -> str:
        """The batch of the config."""
        return self.config.batch

    def perform(self, label: str, works: Sequence[Work], noun: str = "clips") -> bool:
        """Does what is pending of some operations, in mixed waves, and commits it. False when nothing was left to do."""
        tasks, before, seconds = [], {}, 0.0
        for work in works:
            if self.retry_failed and not self.dry_run:
                self._forget_failed(work)
            pending = pending_keys(self.lake, self.batch, work.operation, set(work.inputs), work.valid)
            before[work.operation.name] = len(work.inputs) - len(pending)
            tasks += self._tasks(work, sorted(pending))
            seconds += work.seconds(pending)
            if self.dry_run:
                inputs = tuple(work.inputs[key] for key in sorted(pending))
                self.planned.append(Planned(work.operation.name, inputs, work.seconds(pending)))
        if len(works) > 1:
            # what several operations do to the same inputs is done one after another: signals are read once
            tasks = sorted(tasks, key=lambda task: task.keys)
        num_now = sum(len(task.keys) for task in tasks)
        if self.dry_run:
            self._plan(label, noun, num_now, sum(len(work.inputs) for work in works), len(tasks))
            return num_now > 0
        for work in works:
            record_operation(self.lake, work.operation)
        self.progress.start(label, num_now)
        if tasks:
            self.did_work = True
            run_tasks(
                tasks, self._runner(seconds), label, lambda wave: self.progress.advance(sum(len(t.keys) for t in wave))
            )
        for work in works:
            valid = set(work.inputs) if work.valid is None else work.valid
            finish(self.lake, self.batch, work.operation, valid, trim=work.valid is not None)
        self._account(label, works, before, self.progress.end(), noun)
        return num_now > 0

    def _runner(self, seconds: float) -> Runner:
        """The runner, or this process while Spark's start would cost more than all the work there was so far."""
        if self.runner.is_started or self.config.spark.is_worth_starting(self.here_s + seconds):
            return self.runner
        self.here_s += seconds
        return LocalRunner()

    def commit_rows(self, operation: Operation, keys: Sequence[str], rows: Rows) -> bool:
        """Commits rows that the driver made itself. False when they are committed already."""
        if not pending_keys(self.lake, self.batch, operation, set(keys)) and keys:
            finish(self.lake, self.batch, operation, set(keys), trim=False)
            return False
        if not self.dry_run:
            self.did_work = True
            task = make_task(self.lake, self.batch, operation, keys, {key: {} for key in keys})
            commit_parts([task], write_parts(task, rows))
            finish(self.lake, self.batch, operation, set(keys), trim=False)
        return True

    def _forget_failed(self, work: Work) -> None:
        """Takes back what is committed of inputs that failed. Parts that cannot be trimmed go whole."""
        failed = failed_inputs(self.lake, self.batch, work.operation)
        valid = set(work.inputs) if work.valid is None else work.valid
        gone = {
            key for key in valid if work.inputs.get(key, {}).get("uri", id_of(key)) in failed or id_of(key) in failed
        }
        if gone:
            finish(self.lake, self.batch, work.operation, valid - gone, trim=work.valid is not None)

    def _plan(self, label: str, noun: str, num_now: int, num_wanted: int, num_tasks: int) -> None:
        if self.has_plan:
            text = f"then {label}, on what the jobs before it leave"
        else:
            text = (
                f"{label}: would do {num_now} of {num_wanted} {noun} in {num_tasks} task{'' if num_tasks == 1 else 's'}"
            )
        self.progress.say(text)
        self.has_plan = self.has_plan or num_now > 0

    def _tasks(self, work: Work, pending: list[str]) -> list[Task]:
        group = work.group or (lambda keys: [(group, {}) for group in self.group(keys, work.cost)])
        tasks = [
            make_task(self.lake, self.batch, work.operation, keys, work.inputs, **extra)
            for keys, extra in group(pending)
        ]
        # the costliest first: what is done together costs about the same, and the last core to finish has little left
        return sorted(tasks, key=lambda task: -sum(map(work.cost, task.keys)))

    def group(self, keys: Sequence[str], cost: Callable[[str], float] = lambda key: 0.0) -> list[list[str]]:
        """Keys in groups of the size that the config's `spark` section asks for."""
        spark = self.config.spark
        return group_keys(keys, spark.max_inputs_per_task, cost, spark.max_gigapixels_per_task)

    def _account(self, label: str, works: Sequence[Work], before: dict[str, int], seconds: float, noun: str) -> None:
        for work in works:
            name = work.operation.name
            failed = len(failed_inputs(self.lake, self.batch, work.operation))
            self.outcomes.append(Outcome(name, len(work.inputs), before[name], failed, seconds))
        done = self.outcomes[-len(works) :] if works else []
        wanted, now = sum(o.num_wanted for o in done), sum(o.num_now for o in done)
        failed = sum(o.num_failed for o in done)
        text = (
            f"{label}: {now} of {wanted} {noun} in {seconds:.1f} s"
            if now
            else f"{label}: {wanted} {noun}, nothing to do"
        )
        example = failure_example(self.lake, self.batch, [work.operation for work in works]) if failed and now else ""
        self.progress.say(text + (f", {failed} failed{example}" if failed else ""))


def failed_inputs(lake: Lake, batch: str, operation: Operation) -> set[str]:
    """What an operation failed on: ids in `failures`, or for ingest the uris of the videos that could not be opened."""
    if operation.name == "ingest":
        return {row["uri"] for row in read_table(lake, "videos", batch, ["uri", "status"]) if row["status"] == "failed"}
    rows = read_table(lake, "failures", batch, ["stage", "input_id"])
    return {row["input_id"] for row in rows if row["stage"] == operation.name}


def failure_example(lake: Lake, batch: str, operations: Sequence[Operation]) -> str:
    """One of the failures of these operations, in brackets; nothing for ingest, whose failed files are named at the end."""
    names = {operation.name for operation in operations}
    for row in read_table(lake, "failures", batch):
        if row["stage"] in names:
            message = (
                row["message"] if len(row["message"]) <= MAX_EXAMPLE_CHARS else row["message"][:MAX_EXAMPLE_CHARS] + "…"
            )
            return f" (such as {row['error']}: {printable(message)}; all: moviegen stats {lake.root} failures_by_stage)"
    return ""


MAX_EXAMPLE_CHARS = 160


@contextmanager
def hold_lock(lake: Path, sweep: bool = True) -> Iterator[None]:
    """Holds the lake's lock; removes what killed runs left half-written, unless `sweep` is false. Raises BusyError naming the run that
    holds it."""
    from filelock import FileLock, Timeout

    if (store := lake_at(lake).store) is not None:
        with store.hold_lock():
            sweep_temporaries(lake_at(lake))
            yield
        return
    note = lake / f"{LOCK_FILE}.json"
    lock = FileLock(lake / LOCK_FILE, timeout=0)
    try:
        with writing_below(lake):
            lake.mkdir(parents=True, exist_ok=True)
            lock.acquire()
    except Timeout as error:
        raise BusyError(f"{lake}: another run writes to this lake ({_holder(note)}); wait for it, or end it") from error
    try:
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        with writing(note), atomic_write(note, "note") as temporary:
            temporary.write_text(json.dumps(holder) + "\n")
        if sweep:
            sweep_temporaries(Lake(lake))
        yield
        note.unlink(missing_ok=True)
    finally:
        lock.release()


def _holder(note: Path) -> str:
    try:
        values = json.loads(note.read_text())
        return f"process {values['pid']} on {values['host']}, since {values['since']}"
    except (OSError, ValueError, KeyError):
        return "it has not said who it is"
