"""Files that end before they say they do: seen in the header, before decoding, where the container tells."""

import io
import os
from pathlib import Path
from typing import Any, BinaryIO

from .limits import UnreadableMediaError

EBML_ID, SEGMENT_ID = 0x1A45DFA3, 0x18538067
"""Matroska's first two elements [RFC 8794 §8, RFC 9559 §5.1]."""


def check_whole(name: str, source: Path | bytes, stream: Any) -> None:
    """Raises UnreadableMediaError when the container's index or its outermost element goes past the end of the file.

    MPEG-TS and FLV do not tell: cut off between two packets they are shorter videos.
    """
    size = len(source) if isinstance(source, bytes) else os.stat(source).st_size
    end = max((entry.pos + entry.size for entry in stream.index_entries), default=0)
    if stream.container.format.name.startswith("matroska"):
        end = max(end, _matroska_end(source))
    if end > size:
        raise UnreadableMediaError(f"{name}: is cut off: its header tells of {end} bytes, the file has {size}")


def _matroska_end(source: Path | bytes) -> int:
    """Byte after the segment by its own word; 0 where it does not say (live recordings)."""
    if isinstance(source, bytes):
        return _segment_end(io.BytesIO(source))
    with open(source, "rb") as file:
        return _segment_end(file)


def _segment_end(file: BinaryIO) -> int:
    if _number(file, keep_marker=True) != EBML_ID:
        return 0
    skipped = _number(file)
    if skipped is None:
        return 0
    file.seek(skipped, os.SEEK_CUR)
    if _number(file, keep_marker=True) != SEGMENT_ID:
        return 0
    length = _number(file)
    return 0 if length is None else file.tell() + length


def _number(file: BinaryIO, keep_marker: bool = False) -> int | None:
    """An EBML number of 1 to 8 bytes, the leading zeros of the first byte giving its length; None for `unknown` and at the end."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    length = 9 - first[0].bit_length()
    raw = first + file.read(length - 1)
    if len(raw) < length:
        return None
    value = int.from_bytes(raw)
    if keep_marker:
        return value
    value &= (1 << (7 * length)) - 1
    return None if value == (1 << (7 * length)) - 1 else value
