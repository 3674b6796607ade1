"""Members of checked tars by key: one read a sample, every member's CRC-32 compared, no tar read that is not what was committed."""

import io
import os
import tarfile
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moviegen.contracts.sample import MEMBER_SUFFIXES
from moviegen.contracts.shard import ShardError, iter_members
from training.data.checksum import crc32
from training.data.index import Mark, TarIndex, build_index, file_mark, keep_index, known_index

MAX_OPEN = 256
"""Tars kept open in a process: our decision, a quarter of the usual limit."""


@dataclass(frozen=True)
class CheckedTar:
    """A tar that was what is committed."""

    path: Path
    """To be opened here."""
    index: TarIndex
    mark: Mark
    """Of the file that was checked."""


def open_tar(
    path: Path,
    sha256: str,
    num_samples: int,
    check: Callable[[], object],
    suffixes: Sequence[str] = MEMBER_SUFFIXES,
) -> CheckedTar:
    """A tar and its index. Unless its file is known to have that SHA-256, `check` must hash it, and raise ShardError if it differs."""
    mark = file_mark(path)  # before the hash: what is replaced after it, is not what was hashed
    index = known_index(sha256, mark)
    if index is None:
        check()
        index = build_index(path, iter_members(path, suffixes, num_samples))
        if file_mark(path)[:4] != mark[:4]:
            raise ShardError(f"{path}: was written to while it was checked; begin again when it is whole")
        keep_index(sha256, mark, index)
    return CheckedTar(path, index, mark)


def write_tar(path: Path, samples: Iterable[tuple[str, dict[str, bytes]]]) -> int:
    """Writes (key, members by suffix) in the order given and gives their number; no dates, no owners: the same samples, the same bytes."""
    count = 0
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for key, members in samples:
            count += 1
            for suffix, content in members.items():
                info = tarfile.TarInfo(f"{key}.{suffix}")
                info.size, info.mode = len(content), 0o444
                tar.addfile(info, io.BytesIO(content))
    return count


class TarReader:
    """Reads single samples of tars by seeking. A tar is checked once a process, before its first sample, by `check`."""

    def __init__(self, check: Callable[[str], CheckedTar]) -> None:
        """`check` gives the tar of a name, or raises ShardError."""
        self._check = check
        self._checked: dict[str, CheckedTar] = {}
        self._open: OrderedDict[str, int] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        """Without open files: a loading process opens its own."""
        return {**self.__dict__, "_open": OrderedDict()}

    def __del__(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)

    def tar(self, name: str) -> CheckedTar:
        """The tar of that name, checked at the first call."""
        if name not in self._checked:
            self._checked[name] = self._check(name)
        return self._checked[name]

    def read(self, name: str, key: str, wanted: Collection[str] | None = None) -> dict[str, memoryview]:
        """Suffix -> content of a key's members, or of the `wanted` ones; they share one buffer that is the caller's. Raises ShardError."""
        tar = self.tar(name)
        places = tar.index.find(key)
        if wanted is not None:
            places = [place for place in places if place[0] in wanted]
        if not places:
            raise ShardError(f"{tar.path}: holds no sample {key}, though the samples table says so")
        begin, end = places[0][1], places[-1][1] + places[-1][2]
        buffer = bytearray(end - begin)
        _check_in_place(tar)
        if os.preadv(self.descriptor(name), [buffer], begin) != len(buffer):
            raise ShardError(f"{tar.path}: sample {key} is cut short")
        content, members = memoryview(buffer), {}
        for suffix, offset, size, crc in places:
            members[suffix] = content[offset - begin : offset - begin + size]
            if crc32(members[suffix]) != crc:
                raise ShardError(f"{tar.path}: {key}.{suffix}: its bytes are not those committed (CRC differs)")
        return members

    def descriptor(self, name: str) -> int:
        """An open file of a tar: the one that was checked, whatever takes its name later. Raises ShardError."""
        if name in self._open:
            self._open.move_to_end(name)
            return self._open[name]
        self._open[name] = _open_checked(self.tar(name))
        if len(self._open) > MAX_OPEN:
            os.close(self._open.popitem(last=False)[1])
        return self._open[name]


def _open_checked(tar: CheckedTar) -> int:
    try:
        descriptor = os.open(tar.path, os.O_RDONLY)
    except OSError as error:
        raise _unreadable(tar, error) from error
    if file_mark(descriptor)[:4] != tar.mark[:4]:
        os.close(descriptor)
        raise _replaced(tar)
    return descriptor


def _check_in_place(tar: CheckedTar) -> None:
    """Raises ShardError when the tar's name is another file's by now."""
    try:
        if file_mark(tar.path)[:4] != tar.mark[:4]:
            raise _replaced(tar)
    except OSError as error:
        raise _unreadable(tar, error) from error


def _replaced(tar: CheckedTar) -> ShardError:
    return ShardError(f"{tar.path}: was replaced while it was in use; begin again: the plan was made for the old one")


def _unreadable(tar: CheckedTar, error: OSError) -> ShardError:
    return ShardError(f"{tar.path}: cannot be read: {error.strerror}")
