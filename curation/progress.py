"""What a person sees while jobs run: a bar on a terminal, plain lines elsewhere. All of it on stderr."""

import sys
import time
from collections.abc import Callable

from moviegen.messages import printable

QUIET_S = 10.0
"""Seconds between two plain lines of one job."""


class Progress:
    """Tells about one job at a time; `say` prints a line of its own."""

    def __init__(self, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet, self._clock = quiet, clock
        self._bar = None
        self._label, self._total, self._done, self._started, self._spoke = "", 0, 0, 0.0, 0.0

    def say(self, text: str) -> None:
        """Prints a line."""
        if not self._quiet:
            print(printable(text), file=sys.stderr, flush=True)

    def start(self, label: str, total: int) -> None:
        """A job begins with `total` inputs to do."""
        self._label, self._total, self._done = label, total, 0
        self._started = self._spoke = self._clock()
        if not self._quiet and sys.stderr.isatty():
            self._bar = _bar(label, total)

    def advance(self, count: int) -> None:
        """`count` more inputs are committed."""
        self._done += count
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], count)
        elif self._clock() - self._spoke > QUIET_S and self._done < self._total:
            self._spoke = self._clock()
            self.say(f"  {self._label}: {self._done} of {self._total}, {self._rate():.1f} a second")

    def end(self) -> float:
        """The job is over; the seconds it took."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        return self._clock() - self._started

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
