"""What to say when the disk refuses: which folder, how much is needed there and how much is free, what to do."""

import errno
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from moviegen.errors import DiskError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""No room: the device, the user's share of it, or the largest file allowed."""

REFUSED = FULL | {errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
"""What a disk says to a write that is right in itself."""


@contextmanager
def writing(path: Path, num_bytes: Callable[[], int] | None = None) -> Iterator[None]:
    """Turns an OSError of the block, which writes `path`, into a DiskError that says what is needed and free there.

    `num_bytes` gives the size of the file, roughly; it is asked for only then. Put it around `atomic_write`, so that what was half
    written is gone when free space is counted.
    """
    try:
        yield
    except OSError as error:
        raise DiskError(refusal(error, path, num_bytes() if num_bytes else None)) from error


@contextmanager
def writing_below(folder: Path, refused: Collection[int] = REFUSED) -> Iterator[None]:
    """Turns what a disk says to a write of any file in `folder` into a DiskError; errors that are none of `refused` pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in refused:
            raise
        named = isinstance(error.filename, (str, os.PathLike))
        raise DiskError(refusal(error, Path(error.filename) if named else folder / "...", None)) from error


def refusal(error: OSError, path: Path, num_bytes: int | None) -> str:
    """One line: which file cannot be written, why, the room needed and free, what to do."""
    reason = os.strerror(error.errno) if error.errno else " ".join(str(error).split())
    folder = next((place for place in path.absolute().parents if place.is_dir()), Path("/"))
    free = shutil.disk_usage(folder).free
    needed = f"it needs about {megabytes(num_bytes)}, " if num_bytes is not None else ""
    room = f"; {needed}{megabytes(free)} is free in {folder}" if error.errno in FULL else f"; the folder is {folder}"
    advice = "make room there" if error.errno in FULL else "see that it can be written to"
    return (
        f"{path}: cannot be written: {reason}{room}. Nothing half-written is left under that name: {advice} and type "
        f"the same command again, it goes on where it stopped"
    )


def refused_path(error: OSError) -> tuple[str, int] | None:
    """(message, exit code) of a path that the disk refuses, or that is no folder or no file; None of any other error."""
    if error.filename is None:
        return None
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename)
    kinds = {
        errno.EEXIST: "a file is there",
        errno.ENOTDIR: "a file is where a folder is wanted",
        errno.EISDIR: "a folder",
    }
    if error.errno in kinds:
        return f"{path}: {kinds[error.errno]}; name another path (--output, --lake)", 2
    return (refusal(error, Path(path), None), 5) if error.errno in REFUSED else None


def megabytes(num_bytes: int) -> str:
    """A size for people."""
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 1e5 else f"{num_bytes / 1e3:.1f} kB"
