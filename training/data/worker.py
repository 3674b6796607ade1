"""A loader's worker and the signals meant for the training process.

Ctrl-C reaches every process of the terminal's group, a scheduler's SIGTERM or SIGUSR1 often every process of the job. A worker that
died of it would make torch raise an error in the middle of the step that the training process is about to finish and save.
"""

import os
import signal
from types import FrameType

GRACE_S = 30.0
"""How long a worker outlives SIGTERM: the step that runs is finished by then, and whoever stops a loader need not wait for ever."""


def shield(worker_id: int) -> None:
    """`worker_init_fn` of a loader: the worker leaves the terminal's group, ignores notices, and ends quietly some time after SIGTERM.

    A worker whose training process is gone ends by itself within seconds: torch looks after that."""
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, _end)
    signal.signal(signal.SIGTERM, _end_later)


def _end_later(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, GRACE_S)


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(0)  # 0: torch takes any other code for a failure
