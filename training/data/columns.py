"""What is known of every clip of a folder of latents, as columns of one file that is mapped into memory.

A million clips are open at once, cost no objects, and all loading processes of a machine share their pages.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import atomic_write
from moviegen.errors import UsageError

TEXTS = ("key", "video_id", "caption")


class Texts(Sequence[str]):
    """A column of strings that are made when asked for."""

    def __init__(self, offsets: np.ndarray, content: memoryview, origin: tuple[Any, str]) -> None:
        """String `i` lies at `offsets[i]` to `offsets[i + 1]` of the UTF-8 `content`; `origin` is whose attribute of which name this is."""
        self._offsets, self._content, self._origin = offsets, content, origin

    def __reduce__(self) -> tuple[Any, ...]:
        """By name: a loading process maps the same file."""
        return getattr, self._origin

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return self.some(np.arange(len(self))[index])
        if not -len(self) <= index < len(self):
            raise IndexError(f"text {index} of {len(self)}")
        return self.some(np.array([index % len(self)]))[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self[:])

    def some(self, numbers: np.ndarray) -> list[str]:
        """Those of these numbers."""
        begins, ends = self._offsets[numbers].tolist(), self._offsets[numbers + 1].tolist()
        return [str(self._content[begin:end], "utf-8") for begin, end in zip(begins, ends, strict=True)]


class Samples:
    """The clips of a folder of latents, in the order of its files."""

    def __init__(self, path: Path, sha256: str) -> None:
        """Opens the columns. Raises UsageError when they are not those committed."""
        import pyarrow as pa

        try:
            if file_sha256(path) != sha256:
                raise UsageError(f"{path}: its bytes are not those committed (sha256 differs); run encode again")
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}; run encode again") from error
        self._place = path, sha256
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        names = zip(TEXTS, ("keys", "videos", "captions"), strict=True)
        self.keys, self.videos, self.captions = (_texts(table[column], (self, name)) for column, name in names)
        self.fps: np.ndarray = table["fps"].to_numpy()

    def __len__(self) -> int:
        return len(self.keys)

    def __reduce__(self) -> tuple[Any, ...]:
        """By name: a loading process maps the same file."""
        return Samples, self._place


def write_samples(path: Path, rows: Sequence[Any]) -> str:
    """Writes the columns of records with `key`, `video_id`, `caption` and `fps`, and gives the file's SHA-256; the same rows give the same
    bytes."""
    import pyarrow as pa

    columns = {name: pa.array([getattr(row, name) for row in rows], pa.large_string()) for name in TEXTS}
    table = pa.table({**columns, "fps": pa.array([row.fps for row in rows], pa.float64())})
    with atomic_write(path) as temporary:
        with pa.ipc.new_file(str(temporary), table.schema) as file:
            file.write_table(table)
        return file_sha256(temporary)


def _texts(column: Any, origin: tuple[Any, str]) -> Texts:
    """A column of Arrow's large strings, in place."""
    array = column.combine_chunks()
    _, offsets, content = array.buffers()
    numbers = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    return Texts(numbers, memoryview(content) if content is not None else memoryview(b""), origin)
