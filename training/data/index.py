"""Where each member of a tar lies and what its CRC-32 is: found once a tar, when its SHA-256 is checked, and kept in the user's cache.

An index is named after the tar's SHA-256, so it never goes stale. It also lists marks of files that had that SHA-256 (device, inode, size,
times): a file with such a mark is not hashed again by the next process or run. What is written to a file changes its mark.
"""

import json
import os
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moviegen.contracts.lake import atomic_write
from moviegen.contracts.shard import Member, ShardError
from training.cli import say
from training.data.checksum import crc32

FORMAT = 1
MAX_MARKS = 16
"""Files remembered of one SHA-256: copies on several disks or machines that share a cache."""

SETTLED_S = 2.0
"""Age a file must have for its mark to be kept: clocks of file systems are coarse, and a younger one could still be written to
without its mark changing."""

_ROW = np.dtype([("key", "<u8", 2), ("suffix", "u1"), ("offset", "<u8"), ("size", "<u8"), ("crc", "<u4")])
_CHUNK = 1 << 20

Mark = tuple[int, ...]


class TarIndex:
    """Key -> its members; compact, since a process keeps one for each tar it has read."""

    def __init__(self, rows: np.ndarray, suffixes: Sequence[str]) -> None:
        """`rows` of `_ROW`, sorted by key and offset; `suffixes` are what their numbers stand for."""
        self.rows, self.suffixes = rows, tuple(suffixes)
        self._first, self._second = (array("Q", rows["key"][:, i].tobytes()) for i in (0, 1))

    def find(self, key: str) -> list[tuple[str, int, int, int]]:
        """(suffix, offset, size, CRC-32) of each member of a key, in the tar's order; none when the key is not there."""
        high, low = int(key[:16], 16), int(key[16:], 16)
        begin = bisect_left(self._first, high)
        end = bisect_right(self._first, high, begin)
        begin = bisect_left(self._second, low, begin, end)
        end = bisect_right(self._second, low, begin, end)
        found = self.rows[begin:end].tolist()
        return [(self.suffixes[suffix], offset, size, crc) for _, suffix, offset, size, crc in found]

    def table(self, keys: Sequence[str], suffixes: Sequence[str]) -> np.ndarray:
        """(keys, suffixes, 3): offset, size and CRC-32 of each member, zeros where a key has none of a suffix.

        Raises ValueError when these are not the tar's keys."""
        wanted = np.frombuffer(bytes.fromhex("".join(keys)), ">u8").reshape(-1, 2).astype("<u8")
        order = np.lexsort((wanted[:, 1], wanted[:, 0]))
        known = self.rows["key"]
        is_first = np.append(True, (known[1:] != known[:-1]).any(1))[: len(known)]
        if not np.array_equal(known[is_first], wanted[order]):
            raise ValueError(f"{int(is_first.sum())} keys, not the {len(keys)} that were expected")
        places = order[np.cumsum(is_first) - 1]
        found = np.zeros((len(keys), len(suffixes), 3), dtype=np.int64)
        for i, suffix in enumerate(suffixes):
            rows = self.rows["suffix"] == (self.suffixes.index(suffix) if suffix in self.suffixes else -1)
            for j, name in enumerate(("offset", "size", "crc")):
                found[places[rows], i, j] = self.rows[name][rows]
        return found

    @property
    def keys(self) -> set[str]:
        """All keys."""
        return {f"{high:016x}{low:016x}" for high, low in self.rows["key"].tolist()}


def build_index(path: Path, members: Iterable[Member]) -> TarIndex:
    """The index of a tar's members, their content read once. Raises ShardError when the tar ends before one does."""
    rows, suffixes = [], []
    with open(path, "rb") as file:
        for member in members:
            if member.suffix not in suffixes:
                suffixes.append(member.suffix)
            key = (int(member.key[:16], 16), int(member.key[16:], 16))
            file.seek(member.offset)
            crc = _crc(file, member.size)
            if crc is None:
                raise ShardError(f"{path}: {member.key}.{member.suffix} is cut short")
            rows.append((key, suffixes.index(member.suffix), member.offset, member.size, crc))
    table = np.array(rows, dtype=_ROW)
    order = np.lexsort((table["offset"], table["key"][:, 1], table["key"][:, 0]))
    return TarIndex(table[order], suffixes)


def _crc(file: Any, size: int) -> int | None:
    crc = 0
    while size:
        chunk = file.read(min(size, _CHUNK))
        if not chunk:
            return None
        crc, size = crc32(chunk, crc), size - len(chunk)
    return crc


def cache_folder() -> Path:
    """Where indices are kept: below MOVIEGEN_CACHE, else the user's cache."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("MOVIEGEN_CACHE") or home / "moviegen") / "tar-index"


def file_mark(path: Path | int) -> Mark:
    """What tells a file, by name or open, from one that was put in its place or written to."""
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def known_index(sha256: str, mark: Mark) -> TarIndex | None:
    """The kept index of a tar when the file of that mark was found to have that SHA-256; None when it must be hashed."""
    kept = _load(_place(sha256))
    return kept[1] if kept is not None and list(mark) in kept[0] else None


def keep_index(sha256: str, mark: Mark, index: TarIndex) -> None:
    """Keeps an index and that the file of that mark has that SHA-256. Says so, once, when the cache cannot be written."""
    if time.time() - max(mark[3:]) / 1e9 < SETTLED_S:
        return
    path = _place(sha256)
    kept = _load(path)
    marks = [list(mark), *(kept[0] if kept is not None else [])][:MAX_MARKS]
    body = index.rows.tobytes()
    header = {"format": FORMAT, "suffixes": index.suffixes, "marks": marks, "crc": crc32(body)}
    _write(path, json.dumps(header).encode() + b"\n" + body)


def kept_notes(sha256: str, name: str) -> Any:
    """What `keep_notes` kept of a tar of that SHA-256 under that name; None when nothing was, or it is not whole."""
    try:
        crc, _, body = _place(sha256, name).read_bytes().partition(b"\n")
        return json.loads(body) if int(crc) == crc32(body) else None
    except (OSError, ValueError):
        return None


def keep_notes(sha256: str, name: str, notes: Any) -> None:
    """Keeps what was read of all samples of a checked tar, as JSON: the next process need not read them again."""
    body = json.dumps(notes).encode()
    _write(_place(sha256, name), b"%d\n" % crc32(body) + body)


def _write(path: Path, content: bytes) -> None:
    try:
        with atomic_write(path, "index") as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        if not _SAID:
            _SAID.append(path)
            say(
                f"{path}: cannot be written ({error.strerror}): every process checks every tar anew; set MOVIEGEN_CACHE"
            )


_SAID: list[Path] = []


def _place(sha256: str, name: str = "idx") -> Path:
    return cache_folder() / sha256[:2] / f"{sha256}.{name}"


def _load(path: Path) -> tuple[list[list[int]], TarIndex] | None:
    """(marks, index) of a file of the cache; None when there is none, or none that is whole."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        header = json.loads(head)
        if header["format"] != FORMAT or header["crc"] != crc32(body):
            return None
        return header["marks"], TarIndex(np.frombuffer(body, _ROW), header["suffixes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
