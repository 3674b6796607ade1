"""What a file is that no demuxer opens, told by its first bytes, and what to do about it: for the error that a person reads.

Nothing here decides what may be opened. Reads are few and bounded, and none of the file's own words gets into the text.
"""

import io
import math
import os
from codecs import getincrementaldecoder
from collections import Counter
from pathlib import Path
from typing import BinaryIO

from .boxes import describe_boxes

HEAD_BYTES = 1 << 16
"""Bytes read from the beginning, and from the end."""

NOISE_BITS = 7.2
"""Bits a byte, by how often each value occurs, from which bytes are taken for noise: 4096 random ones have 7.95, code and tables 5 to 7."""

AGAIN = "download or copy it again"
_PAGE = f"a server's answer, such as an error or a login, was saved in its place: {AGAIN}"
_UNPACK = "unpack it, and give what is in it"
_IMAGE = "no video; take it out of the folder"
_CONVERT = "no demuxer of it is allowed here: `ffmpeg -i FILE -c copy FILE.mkv` makes one that is"
_DAMAGED = f"its beginning is there and cannot be read on, so it is damaged or cut off: {AGAIN}"
_SOUND = f"no video; take it out of the folder, or, where sound is wanted, it is damaged: {AGAIN}"
_OTHER = "take it out of the folder"

SIGNATURES = (
    (0, b"version https://git-lfs.", "a Git LFS pointer, not the video", "`git lfs pull` in its repository fetches the video"),
    (0, b"/annex/objects/", "a git-annex pointer, not the video", "`git annex get` in its repository fetches the video"),
    (0, b"PK\x03\x04", "an archive (zip)", _UNPACK),
    (0, b"PK\x05\x06", "an archive (zip)", _UNPACK),
    (0, b"\x1f\x8b", "an archive (gzip)", _UNPACK),
    (257, b"ustar", "an archive (tar)", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "an archive (7-Zip)", _UNPACK),
    (0, b"Rar!\x1a\x07", "an archive (RAR)", _UNPACK),
    (0, b"\xfd7zXZ\0", "an archive (xz)", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "an archive (zstd)", _UNPACK),
    (0, b"BZh", "an archive (bzip2)", _UNPACK),
    (0, b"\x89PNG\r\n\x1a\n", "an image (PNG)", _IMAGE),
    (0, b"\xff\xd8\xff", "an image (JPEG)", _IMAGE),
    (8, b"WEBP", "an image (WebP)", _IMAGE),
    (0, b"II*\0", "an image (TIFF)", _IMAGE),
    (0, b"MM\0*", "an image (TIFF)", _IMAGE),
    (0, b"%PDF-", "a document (PDF)", _OTHER),
    (0, b"\x7fELF", "a program", _OTHER),
    (0, b"MZ", "a program", _OTHER),
    (0, b"PAR1", "a table (Parquet)", _OTHER),
    (0, b"SQLite format 3\0", "a database (SQLite)", _OTHER),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file (ASF)", _CONVERT),
    (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "an MXF file", _CONVERT),
    (0, b".RMF", "a RealMedia file", _CONVERT),
    (8, b"WAVE", "sound (WAV)", _SOUND),
    (0, b"fLaC", "sound (FLAC)", _SOUND),
    (0, b"ID3", "sound (MP3)", _SOUND),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM file", _DAMAGED),
    (8, b"AVI ", "an AVI file", _DAMAGED),
    (0, b"FLV\x01", "an FLV file", _DAMAGED),
    (0, b"OggS", "an Ogg file", _DAMAGED),
    (0, b"GIF8", "a GIF", _DAMAGED),
    (0, b"\0\0\x01\xba", "an MPEG file", _DAMAGED),
)  # fmt: skip
"""(offset, bytes there, what it is, what to do)."""

TEXTS = (
    (("<!doctype html", "<html", "<head", "<body", "<script"), "a web page (HTML)", _PAGE),
    (("<?xml", "<"), "a text (XML)", _PAGE),
    (("{", "["), "a text (JSON)", _PAGE),
    (("#extm3u", "ffconcat"), "a playlist, not the video", "no playlist is followed: download what it lists"),
    (("",), "a text", _OTHER),
)
"""(beginnings in small letters, what it is, what to do) of files of text."""


def describe(source: Path | bytes) -> str:
    """What the file, or content, is and what to do: `it is a web page (HTML): ...`; empty where it cannot be read either."""
    if isinstance(source, bytes):
        return describe_content(io.BytesIO(source), len(source))
    try:
        with open(source, "rb") as file:
            return describe_content(file, os.fstat(file.fileno()).st_size)
    except (OSError, ValueError):  # ValueError: a name with a NUL in it
        return ""


def describe_content(file: BinaryIO, size: int) -> str:
    """What `size` bytes of content are and what to do."""
    head = file.read(HEAD_BYTES)
    if not head:
        return f"it is empty: {AGAIN}"
    if told := describe_boxes(file, size):
        what, then = told
        return f"it is {what}: {then or AGAIN}"
    for offset, magic, what, then in SIGNATURES:
        if head[offset : offset + len(magic)] == magic:
            return f"it is {what}: {then}"
    if not any(head) and not any(_tail(file, size)):
        return f"it is all zeros, as far as was looked: its place was kept and never filled, or lost: {AGAIN}"
    if (text := _text(head)) is not None:
        what, then = next((what, then) for begins, what, then in TEXTS if text.startswith(begins))
        return f"it is {what}: {then}"
    return _unknown(head)


def _tail(file: BinaryIO, size: int) -> bytes:
    file.seek(max(0, size - HEAD_BYTES))
    return file.read(HEAD_BYTES)


def _text(head: bytes) -> str | None:
    """The text, in small letters and without what may stand before it; None where the bytes are none."""
    code = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = getincrementaldecoder(code)().decode(head)
    except UnicodeDecodeError:
        return None
    is_text = all(letter >= " " or letter in "\t\n\r\f\v\x1b" for letter in text)
    return text.lstrip().lower() if is_text else None


def _unknown(head: bytes) -> str:
    begins = head[:8].hex(" ")
    sample = head[:4096]
    shares = [count / len(sample) for count in Counter(sample).values()]
    if -sum(share * math.log2(share) for share in shares) >= NOISE_BITS:
        return f"it is of no known kind, its first bytes ({begins}) look like noise: encrypted or damaged; decrypt it, or {AGAIN}"
    return f"it is of no known kind, it begins with {begins}: damaged, or another kind of file; {AGAIN}, or take it out of the folder"
