"""Files of an input folder before anything in them is read: which may be opened at all, and how a plain one is opened.

A folder of videos may come from anybody. A pipe or a device would block whoever opens it, a symbolic link makes its reader open a file
that nobody gave; so each name is looked at (`lstat`) before it is opened, and what is opened is looked at again.
"""

import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from moviegen.media.limits import RefusedMediaError


def refusal(path: Path, root: Path, follow_links: bool = False) -> str | None:
    """Why a file below `root` (resolved) must not be opened, or None: links that lead out of `root`, pipes, sockets, devices, names
    that are no UTF-8."""
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            target = Path(os.path.realpath(path))
            if not (follow_links or target.is_relative_to(root)):
                return (
                    f"is a symbolic link to {target}, outside of the input folder; copy the file here, or set "
                    "ingest.follow_links: true if you trust who made the link"
                )
            status = os.stat(path)
    except OSError as error:
        return f"cannot be opened: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return "is no regular file"
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return "its name is no UTF-8, so no table can hold it; rename it"
    return None


def open_plain(path: Path) -> BinaryIO:
    """The file opened for reading, never waiting for it. Raises RefusedMediaError when it is no regular file, OSError as `open` does."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RefusedMediaError(f"{path}: is no regular file")
    return os.fdopen(descriptor, "rb")


def hash_plain(path: Path) -> str:
    """SHA-256 of a plain file's bytes."""
    with open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_plain(path: Path, max_bytes: int) -> bytes:
    """A small plain file's bytes. Raises ValueError when it has more than `max_bytes`, which are not read then."""
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(max_bytes + 1) if size <= max_bytes else b""
    if max(size, len(content)) > max_bytes:
        raise ValueError(f"{path}: {max(size, len(content))} bytes, at most {max_bytes} are read")
    return content
