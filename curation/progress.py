"""What a person sees while jobs run: a bar on a terminal, plain lines elsewhere. All of it on stderr."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from moviegen.observe.lines import is_json, tell

QUIET_S = 10.0
"""Seconds between two plain lines of one job."""

HEARTBEAT_S = 30.0
"""Longest silence where there is no terminal: whoever reads a log must be able to tell slow from dead."""


class Progress:
    """Tells about one job at a time; `say` prints a line of its own."""

    def __init__(
        self,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._quiet, self._clock, self._heartbeat_s = quiet, clock, heartbeat_s
        self._bar = None
        self._label, self._total, self._done = "", 0, 0
        self._started = self._spoke = clock()

    def say(self, text: str) -> None:
        """Prints a line."""
        self._spoke = self._clock()
        if not self._quiet:
            tell(text, job=self._label, done=self._done, total=self._total)

    def start(self, label: str, total: int) -> None:
        """A job begins with `total` inputs to do."""
        self.doing(label, total)
        if not self._quiet and sys.stderr.isatty() and not is_json():
            self._bar = _bar(label, total)

    def doing(self, label: str, total: int = 0) -> None:
        """What is done from now on, for the heartbeat; without a number of inputs when there is none."""
        self._label, self._total, self._done = label, total, 0
        self._started = self._clock()  # the silence goes on: nothing is printed here

    def advance(self, count: int) -> None:
        """`count` more inputs are committed."""
        self._done += count
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], count)
        elif self._clock() - self._spoke > QUIET_S and self._done < self._total:
            self.say(f"  {self._label}: {self._done} of {self._total}, {self._rate():.1f} a second")

    def end(self) -> float:
        """The job is over; the seconds it took."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        return self._clock() - self._started

    @contextmanager
    def heartbeat(self) -> Iterator[None]:
        """Within it, a line each `heartbeat_s` of silence where there is no terminal, whatever takes so long."""
        if self._quiet or sys.stderr.isatty():
            yield
            return
        over = threading.Event()
        thread = threading.Thread(target=self._beat, args=(over,), name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(max(0.01, self._spoke + self._heartbeat_s - self._clock())):
            if self._clock() - self._spoke >= self._heartbeat_s:
                count = f"{self._done} of {self._total} committed, " if self._total else ""
                self.say(f"  {self._label or 'starting'}: {count}at it for {self._clock() - self._started:.0f} s")

    def _rate(self) -> float:
        return self._done / max(1e-9, self._clock() - self._started)


def _bar(label: str, total: int):
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    from moviegen.config import console

    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = RichProgress(*columns, console=console(), transient=True)
    bar.add_task(label, total=total)
    bar.start()
    return bar
