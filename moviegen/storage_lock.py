"""The lock of a lake in an object store: one object, put only where none is, renewed while its run lives, taken over when it is stale.

Time is the store's own: an object's LastModified against the Date of the answer, so clocks need not agree. A run that was paused for
longer than the lease finds its lock gone and ends before it commits anything.
"""

import json
import os
import socket
import threading
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from moviegen.contracts.lake import crash_point
from moviegen.errors import BusyError, MovieGenError, UsageError
from moviegen.storage import ChangedError, explained, put_object, read_object

LOCK = "_lock.json"
LEASE_S = 60.0
"""Seconds without a renewal after which another run may take the lock."""
BEAT_S = LEASE_S / 4


class StoreLock:
    """Held inside the `with` block. Raises BusyError naming the run that holds it."""

    def __init__(self, url: str, call: Any) -> None:
        self._url, self._call = f"{url}/{LOCK}", call
        self._holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "boot": _boot(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        self._etag: str | None = None
        self._beats = 0
        self._renewed = 0.0
        self._lost: MovieGenError | None = None
        self._done = threading.Event()
        self._renewing = threading.Lock()

    def __enter__(self) -> "StoreLock":
        self._put(self._stale_etag())
        crash_point("lock.taken")
        threading.Thread(target=self._beat, name="lake lock", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        with self._renewing:
            if self._lost is None:
                self._call("delete_object", LOCK)

    def check(self) -> None:
        """Raises BusyError when the lock is no longer ours; asks the store when it was not renewed for long."""
        if self._lost is None and time.monotonic() - self._renewed > LEASE_S / 2:
            self._renew()
        if self._lost is not None:
            raise BusyError(
                f"{self._lost}: another run has taken this lake over; this one ends, and commits nothing more"
            )

    def _stale_etag(self) -> str | None:
        """None when nobody holds the lock; the etag of a lock whose run is gone. Raises BusyError when its run lives."""
        with explained(self._url):
            text, etag = read_object(self._call, LOCK)
            if text is None:
                return None
            about = self._call("head_object", LOCK) if _held_elsewhere(text) else None
        if about is None or _age_s(about) > LEASE_S:
            return etag
        raise BusyError(
            f"{self._url}: another run writes to this lake ({_describe(text)}); wait for it, or end it. "
            f"A lock whose run has died on another machine is free {LEASE_S:g} s later"
        )

    def _put(self, etag: str | None) -> None:
        try:
            with explained(self._url):
                self._beats += 1
                text = json.dumps(self._holder | {"beat": self._beats}) + "\n"
                self._etag = put_object(self._call, LOCK, text, etag)
        except FileNotFoundError as error:
            raise ChangedError(f"{self._url}: it is gone") from error
        except ChangedError as error:
            found, its_etag = read_object(self._call, LOCK)
            if found != text:
                raise BusyError(f"{self._url}: another run has just taken this lake ({_describe(found)})") from error
            self._etag = its_etag
        self._renewed = time.monotonic()

    def _beat(self) -> None:
        while not self._done.wait(BEAT_S):
            self._renew()

    def _renew(self) -> None:
        with self._renewing:
            if self._done.is_set() or self._lost is not None:
                return
            try:
                self._put(self._etag)
            except (UsageError, ChangedError) as error:
                self._lost = error
            except MovieGenError:  # the store is out of reach for now: the next commit will say so, if it still is
                return


def _boot() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""


def _held_elsewhere(text: str) -> bool:
    """False when the holder is a process of this very machine that is no more."""
    try:
        holder = json.loads(text)
        if (holder["host"], holder["boot"]) != (socket.gethostname(), _boot()):
            return True
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError, KeyError, TypeError):
        return True
    return True


def _age_s(about: dict) -> float:
    """Seconds since an object was put, by the store's clock."""
    now = parsedate_to_datetime(about["ResponseMetadata"]["HTTPHeaders"]["date"])
    return (now - about["LastModified"]).total_seconds()


def _describe(text: str | None) -> str:
    try:
        holder = json.loads(text or "")
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "it has not said who it is"
