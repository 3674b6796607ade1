"""Members of a tar read strictly: plain files in 512-byte blocks, as our writers make them, and nothing else.

Python's tarfile believes what a header says: it reads extension headers of any length into memory, takes a GNU sparse file for a plain
one, and ends without a word where a tar is cut between two members. Here every block has its place, or the tar is refused [POSIX ustar].
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

BLOCK = 512

_KINDS = {
    b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"5": "a folder", b"6": "a pipe",
    b"S": "a GNU sparse file", b"x": "a pax header", b"g": "a pax header", b"L": "a GNU long name", b"K": "a GNU long link",
}  # fmt: skip


class TarError(ValueError):
    """A tar that is not made of plain members alone."""


@dataclass(frozen=True)
class TarMember:
    """A plain file in a tar."""

    name: str
    offset: int
    """Byte of the tar at which its content begins."""
    size: int
    """Bytes."""


def tar_members(path: Path) -> Iterator[TarMember]:
    """The members of a tar in order, headers alone read. Raises TarError at the first block that must not be there, or at a cut."""
    with open(path, "rb") as file:
        end = os.fstat(file.fileno()).st_size
        place = 0
        while any(header := _block(file, path, place)):
            member = _member(header, path, place)
            place = member.offset + -(-member.size // BLOCK) * BLOCK
            if place > end:
                raise TarError(
                    f"{path}: {member.name!r} is cut short: {member.size} bytes at {member.offset}, the tar has {end}"
                )
            yield member
            file.seek(place)
        while chunk := file.read(1 << 20):
            if chunk.count(0) < len(chunk):
                raise TarError(f"{path}: something follows the end of the tar at byte {place}")


def _block(file: BinaryIO, path: Path, place: int) -> bytes:
    block = file.read(BLOCK)
    if len(block) < BLOCK:
        raise TarError(f"{path}: ends at byte {place + len(block)} without the empty blocks that close a tar: cut off")
    return block


def _member(header: bytes, path: Path, place: int) -> TarMember:
    """What a header says of a plain file."""
    unsigned = sum(header) - sum(header[148:156]) + 8 * 32
    if _octal(header[148:156], path, place, "checksum") != unsigned:
        raise TarError(f"{path}: the header at byte {place} has been changed (checksum differs)")
    name = _text(header[:100], path, place)
    if (kind := header[156:157]) not in (b"0", b"\0"):
        raise TarError(f"{path}: member {name!r} is {_KINDS.get(kind, f'of kind {kind!r}')}, no plain file")
    if header[345:500].rstrip(b"\0"):
        raise TarError(f"{path}: member {name!r} lies in a folder, wanted it at the top of the tar")
    return TarMember(name, place + BLOCK, _octal(header[124:136], path, place, "size"))


def _octal(field: bytes, path: Path, place: int, what: str) -> int:
    digits = field.strip(b" \0")
    if not digits or not all(48 <= digit < 56 for digit in digits):
        raise TarError(f"{path}: the {what} in the header at byte {place} is no octal number")
    return int(digits, 8)


def _text(field: bytes, path: Path, place: int) -> str:
    try:
        return field.split(b"\0")[0].decode()
    except UnicodeDecodeError as error:
        raise TarError(f"{path}: the name in the header at byte {place} is no UTF-8") from error
