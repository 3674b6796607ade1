"""Names of files that are still being written, beside their final place; and whether whoever began one may still be at it.

A folder may be shared by several machines, and a process id is only unique on one of them: so a name has the machine, the process and
something drawn, and a leftover is judged by who wrote it.
"""

import hashlib
import os
import re
import secrets
import socket
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

GRACE_S = 86400.0
"""Seconds since its last byte after which a temporary is nobody's any more, whoever wrote it: our decision. A machine cannot ask whether
a process of another one lives."""

SHOWN_CHARS = 40
"""Of the final name, for people; the rest leaves room in the 255 bytes of a name."""

_NAME = re.compile(r"\..*\.([0-9a-f]{8})-(\d{1,10})-[0-9a-f]{8}\.tmp", re.DOTALL)


def temporary_beside(path: Path) -> Path:
    """`.<name>.<machine>-<process>-<drawn>.tmp` in the folder of `path`: the caller's alone, on every machine that shares the folder."""
    return path.with_name(f".{path.name[:SHOWN_CHARS]}.{machine()}-{os.getpid()}-{secrets.token_hex(4)}.tmp")


def is_temporary(path: Path) -> bool:
    """Whether a file is named as one that is still written, by this or an earlier version."""
    return path.name.startswith(".") and path.name.endswith(".tmp")


def may_be_in_use(path: Path, now: float | None = None) -> bool:
    """Whether somebody may still be writing a temporary: its process lives, or was on another machine; for a day after its last byte."""
    found = _NAME.fullmatch(path.name)
    if found is None:
        return False  # an earlier version's: it wrote under the lake's lock, as does who asks
    try:
        age_s = (time.time() if now is None else now) - path.stat().st_mtime
    except FileNotFoundError:
        return False
    return age_s < GRACE_S and (found[1] != machine() or is_alive(int(found[2])))


def remove_leftovers(paths: Iterable[Path]) -> int:
    """Removes those of the files that are temporaries nobody writes any more; how many."""
    found = [path for path in paths if is_temporary(path) and path.is_file() and not may_be_in_use(path)]
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


@cache
def machine() -> str:
    """Eight hex digits of where this process's id means something: the host, since it was started, and the container."""
    places = [Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")]
    told = [socket.gethostname(), _text(places[0]), os.readlink(places[1]) if places[1].is_symlink() else ""]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:8]


def _text(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


def is_alive(pid: int) -> bool:
    """Whether a process of this machine lives; one that has ended and was not asked about by its parent yet does not."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # somebody else's
    stat = _text(Path(f"/proc/{pid}/stat"))
    return stat.rpartition(")")[2].split()[:1] != ["Z"]
