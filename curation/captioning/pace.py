"""When to ask again, and how often at most: back-off with jitter, `Retry-After`, requests a minute."""

import email.utils
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Backoff:
    """Seconds to wait before each further try: twice as long each time, a random share of it, never less than the server asks for."""

    first_s: float = 1.0
    """Longest wait before the second try."""
    longest_s: float = 60.0
    """Longest wait before any."""

    def wait_s(self, tries: int, retry_after_s: float | None = None, rng: Callable[[], float] = random.random) -> float:
        """Seconds to wait after so many tries. Half of it is sure and half is drawn, so that those refused together come back apart."""
        longest = min(self.longest_s, self.first_s * 2 ** (tries - 1))
        return max(longest * (0.5 + 0.5 * rng()), retry_after_s or 0.0)


def retry_after_s(header: str | None, now: float | None = None) -> float | None:
    """Seconds that a `Retry-After` header asks for: a number, or a date from now; None where it says neither."""
    if not header:
        return None
    text = header.strip()
    if text.replace(".", "", 1).isdigit() and text.isascii():
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(0.0, date.timestamp() - (time.time() if now is None else now))


@dataclass
class Pace:
    """Lets requests of several threads pass evenly, so many a minute, and none while the server asks for a pause."""

    per_minute: float | None = None
    """None: as fast as they come."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _next: float = 0.0
    """Time at which the next request may pass."""

    def enter(self) -> None:
        """Returns when a request may be sent."""
        with self._lock:
            turn = max(self.clock(), self._next)
            self._next = turn + (60.0 / self.per_minute if self.per_minute else 0.0)
        while (wait := turn - self.clock()) > 0:
            self.sleep(wait)

    def pause(self, seconds: float) -> None:
        """No request that has not got its turn yet passes within these seconds."""
        with self._lock:
            self._next = max(self._next, self.clock() + seconds)
