"""Jobs of the page: one at a time a model, in the order in which they came; progress, cancelling, and why one failed."""

import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from moviegen.errors import MovieGenError, UsageError
from moviegen.media.worker import own_worker
from moviegen.pipelines.host import Advance

State = Literal["waiting", "running", "done", "failed", "cancelled"]

KEPT = 50
"""Finished jobs that are remembered."""


class CancelledError(Exception):
    """Whoever asked for it does not want it any more."""


@dataclass
class Job:
    """Something that is made, or will be."""

    number: int
    title: str
    models: frozenset[str]
    """What it needs for itself alone while it runs."""
    work: Callable[["Job"], str]
    """Does it; gives a sentence to say at the end, or nothing. Raises MovieGenError."""
    clock: Callable[[], float] = time.monotonic
    state: State = "waiting"
    message: str = ""
    step: int = 0
    num_steps: int = 0
    made: list[Path] = field(default_factory=list)
    is_cancelled: bool = False
    """It stops at its next step."""
    _since: float | None = None

    @property
    def is_open(self) -> bool:
        """It waits or runs."""
        return self.state in ("waiting", "running")

    @contextmanager
    def progress(self, total: int) -> Iterator[Advance]:
        """For `Host.progress`: counts the steps, and stops at the first one after `is_cancelled`."""
        self.check()
        self.step, self.num_steps, self._since = 0, total, self.clock()

        def advance(step: int, num_steps: int) -> None:
            self.step += 1
            self.check()

        yield advance

    def check(self) -> None:
        """Raises CancelledError when it is not wanted any more."""
        if self.is_cancelled:
            raise CancelledError

    def take(self, path: Path, row: Mapping[str, Any], as_json: bool) -> None:
        """For `Host.made`: a file is there."""
        self.made.append(path)

    def left_s(self) -> float | None:
        """Seconds that the steps left will take, as long as those before; None where nothing is known yet."""
        if self._since is None or not self.step or self.state != "running":
            return None
        return (self.clock() - self._since) / self.step * max(self.num_steps - self.step, 0)


class JobQueue:
    """All jobs. Each has a thread, which sleeps until no earlier job needs one of its models, and a decode worker of its own."""

    def __init__(self, max_waiting: int = 20, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_waiting, self._clock = max_waiting, clock
        self._jobs: list[Job] = []
        self._turn = threading.Condition()
        self._num_submitted = 0
        self._is_closed = False

    def submit(self, title: str, models: Collection[str], work: Callable[[Job], str]) -> Job:
        """Queues a job. Raises UsageError when too many wait already."""
        with self._turn:
            num_waiting = sum(job.state == "waiting" for job in self._jobs)
            if num_waiting >= self._max_waiting or self._is_closed:
                raise UsageError(f"{num_waiting} jobs wait already; try again when one of them is done")
            self._num_submitted += 1
            job = Job(self._num_submitted, title, frozenset(models), work, self._clock)
            self._jobs.append(job)
            closed = [each for each in self._jobs if not each.is_open]
            self._jobs = [each for each in self._jobs if each not in closed[: max(0, len(closed) - KEPT)]]
        threading.Thread(target=self._live, args=[job], name=f"job {job.number}", daemon=True).start()
        return job

    def jobs(self) -> list[Job]:
        """Open and remembered jobs, newest first."""
        with self._turn:
            return self._jobs[::-1]

    def find(self, number: int | None) -> Job | None:
        """The job of that number, if it is remembered."""
        return next((job for job in self.jobs() if job.number == number), None)

    def num_before(self, job: Job) -> int:
        """Open jobs that must be over before this one begins."""
        with self._turn:
            return len(self._before(job))

    def cancel(self, number: int | None) -> None:
        """A waiting job goes at once, a running one stops at its next step; one that is over stays as it is."""
        with self._turn:
            for job in self._jobs:
                if job.number == number and job.is_open:
                    job.is_cancelled = True
            self._turn.notify_all()

    def close(self, wait_s: float = 10.0) -> None:
        """Cancels all, takes no more, and gives those that run the time to tidy up."""
        with self._turn:
            self._is_closed = True
        for job in self.jobs():
            self.cancel(job.number)
        with self._turn:
            self._turn.wait_for(lambda: not any(job.is_open for job in self._jobs), wait_s)

    def _before(self, job: Job) -> list[Job]:
        return [each for each in self._jobs if each.number < job.number and each.is_open and each.models & job.models]

    def _live(self, job: Job) -> None:
        with self._turn:
            self._turn.wait_for(lambda: job.is_cancelled or not self._before(job))
            job.state = "cancelled" if job.is_cancelled else "running"
            self._turn.notify_all()
        state, message = ("cancelled", "") if job.state == "cancelled" else _outcome(job)
        with self._turn:
            job.state, job.message = state, message
            self._turn.notify_all()


def _outcome(job: Job) -> tuple[State, str]:
    """(state, sentence) of a job that is done now."""
    try:
        with own_worker():
            return "done", job.work(job)
    except CancelledError:
        return "cancelled", ""
    except MovieGenError as error:
        return "failed", str(error)
    except (
        Exception
    ) as error:  # one job's bug is not the end of the page; its traceback is for whoever started the server
        traceback.print_exc()
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            return (
                "failed",
                "There is not enough memory for this: try fewer frames, a smaller size, or smaller windows.",
            )
        return (
            "failed",
            f"A fault of the program ({type(error).__name__}); the terminal of `moviegen serve` has the details.",
        )
