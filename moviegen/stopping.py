"""How a signal stops a verb: once cleanly, twice at once."""

import os
import signal
import time

SAME_S = 1.0
"""Seconds in which a second signal is still the first: `timeout` and a terminal tell the process, and then its group."""


class Terminated(BaseException):
    """SIGTERM or SIGHUP, as an exception so that `finally` blocks run."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


def take_signals() -> None:
    """From now on a signal stops the verb cleanly, and another a second later at once; those that are ignored (nohup, `&`) stay so."""
    _received.clear()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)


_received: list[float] = []
"""When signals came, by the clock that only goes forward."""


def _stop(number: int, frame: object) -> None:
    _received.append(time.monotonic())
    if len(_received) > 1:
        if (
            _received[-1] - _received[0] > SAME_S
        ):  # what is not committed is garbage anyway: nothing is lost by not tidying up
            os._exit(128 + number)
        return
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)
