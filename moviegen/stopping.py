"""How a signal stops a verb: once cleanly, twice at once."""

import os
import signal


class Terminated(BaseException):
    """SIGTERM or SIGHUP, as an exception so that `finally` blocks run."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


def take_signals() -> None:
    """From now on a signal stops the verb cleanly, and a second one at once; those that are ignored (nohup, `&`) stay so."""
    _received.clear()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)


_received: list[int] = []


def _stop(number: int, frame: object) -> None:
    _received.append(number)
    if len(_received) > 1:  # what is not committed is garbage anyway: nothing is lost by not tidying up
        os._exit(128 + number)
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)
