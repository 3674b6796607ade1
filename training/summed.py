"""A file of `torch.save` that is summed while it is written and says what the disk said; and having the disk keep what was written."""

import hashlib
import os
from pathlib import Path
from typing import Any

import torch


class SummedFile:
    """A new file for `torch.save` that sums what is written while it is written, and keeps the disk's own error: torch raises another."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115
        self._sum = hashlib.sha256()
        self._error: OSError | None = None

    def __enter__(self) -> "SummedFile":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def save(self, state: Any) -> None:
        """Writes a state and syncs it. Raises OSError when the disk refuses."""
        try:
            torch.save(state, self)
        except RuntimeError as error:
            if self._error is not None:
                raise self._error from error
            raise
        os.fsync(self._file.fileno())

    def write(self, content: Any) -> int:
        """All of it, or OSError."""
        view = memoryview(content).cast("B")
        self._sum.update(view)
        try:
            place = 0
            while place < len(view):
                place += self._file.write(view[place:])
        except OSError as error:
            self._error = error
            raise
        return len(view)

    def flush(self) -> None:
        """Nothing to do: nothing is buffered."""

    @property
    def sha256(self) -> str:
        """SHA-256 of all that was written."""
        return self._sum.hexdigest()


def fsync(path: Path) -> None:
    """Has the disk keep a file or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
