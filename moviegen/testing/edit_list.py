"""Edit lists of mp4 files [ISO 14496-12 8.6.6], written by hand: which stretches of the first track are shown, one after another."""

import struct
from collections.abc import Iterable, Iterator


def set_edit_list(content: bytes, stretches: Iterable[tuple[float, float]]) -> bytes:
    """The mp4 with an edit list of (first, last) seconds in its first track, counted from what was its first frame shown.

    The index must lie at the file's end, as ffmpeg writes it, so that no sample moves, and the track must have an edit list already.
    """
    path = [_find(content, 0, len(content), b"moov")]
    path += [_find(content, *_inside(path[0]), b"trak")]
    path += [_find(content, *_inside(path[1]), b"edts")]
    path += [_find(content, *_inside(path[2]), b"elst")]
    assert path[0][1] == len(content), "the index lies at the end of the file"
    movie_clock = _clock(content, path[0], b"mvhd")
    media = _find(content, *_inside(path[1]), b"mdia")
    media_clock = _clock(content, media, b"mdhd")
    start = struct.unpack_from(">i", content, path[3][0] + 20)[0]
    rows = [
        struct.pack(">Iihh", round((last - first) * movie_clock), start + round(first * media_clock), 1, 0)
        for first, last in stretches
    ]
    body = struct.pack(">II", 0, len(rows)) + b"".join(rows)
    box = struct.pack(">I4s", 8 + len(body), b"elst") + body
    grown = len(box) - (path[3][1] - path[3][0])
    out = bytearray(content[: path[3][0]] + box + content[path[3][1] :])
    for begin, end in path[:3]:
        struct.pack_into(">I", out, begin, end - begin + grown)
    return bytes(out)


def _boxes(content: bytes, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, first byte, byte after the last) of the boxes in a stretch; 32-bit sizes only."""
    while begin < end:
        size, kind = struct.unpack_from(">I4s", content, begin)
        yield kind, begin, begin + size
        begin += size


def _find(content: bytes, begin: int, end: int, wanted: bytes) -> tuple[int, int]:
    return next((low, high) for kind, low, high in _boxes(content, begin, end) if kind == wanted)


def _inside(box: tuple[int, int]) -> tuple[int, int]:
    return box[0] + 8, box[1]


def _clock(content: bytes, parent: tuple[int, int], wanted: bytes) -> int:
    """Ticks a second in a version 0 `mvhd` or `mdhd`."""
    begin, _ = _find(content, *_inside(parent), wanted)
    return struct.unpack_from(">I", content, begin + 20)[0]
