"""The outermost boxes of an mp4 that cannot be opened: is its index there, and is the file as long as they say [ISO/IEC 14496-12 §4.2]."""

import os
from collections.abc import Iterator
from typing import BinaryIO

FIRST_BOXES = (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"sidx", b"free", b"skip", b"wide", b"pnot")
"""Boxes that an mp4 or mov may begin with."""

IMAGE_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"avif")
"""Major brands of stills in such boxes."""

MAX_BOXES = 4096
"""Boxes looked at: a recording in fragments has many, and an index comes before them."""


def describe_boxes(file: BinaryIO, size: int) -> tuple[str, str] | None:
    """(what it is, what to do or nothing where it is to fetch it again); None where the content of `size` bytes is no such file."""
    file.seek(0)
    head = file.read(12)
    if head[4:8] not in FIRST_BOXES:
        return None
    boxes = list(_boxes(file, size))
    kinds = {kind for kind, _ in boxes}
    last, end = boxes[-1] if boxes else (b"", 0)
    if head[4:8] == b"ftyp" and head[8:12] in IMAGE_BRANDS and b"moov" not in kinds:
        return "an image (HEIC, AVIF)", "no video; take it out of the folder"
    cut = f"cut off: its box `{_name(last)}` ends at byte {end}, the file has {size}" if end > size else ""
    if b"moov" in kinds:
        return f"an mp4 whose index (`moov`) cannot be read, {cut or 'damaged'}", ""
    if b"moof" in kinds and not cut:
        return "a piece of an mp4 (`moof` without `moov`)", "join the pieces after their first one, the init segment"
    return f"an mp4 without its index (`moov`), {cut or 'so whatever wrote it did not come to its end'}", ""


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """(kind, the byte after it by its own word) of each outermost box, up to the one that goes past the end or tells no length."""
    place = 0
    for _ in range(MAX_BOXES):
        file.seek(place, os.SEEK_SET)
        head = file.read(16)
        length = int.from_bytes(head[:4])
        if length == 1:
            length = int.from_bytes(head[8:16])
        elif length == 0:
            length = size - place
        if len(head) < 8 or length < 8:
            return
        yield head[4:8], place + length
        place += length
        if place >= size:
            return


def _name(kind: bytes) -> str:
    return kind.decode() if kind.isalnum() else kind.hex()
