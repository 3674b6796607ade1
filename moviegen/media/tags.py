"""A comment inside a finished PNG, JPEG or WAV, and read back out of any container. Videos get theirs while they are muxed (`write.py`).

The same file and comment give the same bytes: no dates, no names of programs.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from .demux import open_container
from .limits import AUDIO_FORMATS, VIDEO_FORMATS, MediaLimits, UnreadableMediaError

MAX_COMMENT_BYTES = 60_000
"""What a JPEG's comment (64 KiB) and one argument of ffmpeg (128 KiB) both hold; our decision for all containers."""

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"


def add_comment(content: bytes, suffix: str, comment: str) -> bytes:
    """The bytes of a `png`, `jpg` or `wav` with a comment in them that Pillow and FFmpeg call `comment`; pixels and samples untouched."""
    check_comment(comment)
    kind = {"jpeg": "jpg"}.get(suffix, suffix)
    if kind not in _WRITERS:
        raise ValueError(
            f"comment: {suffix!r} is none of {', '.join(_WRITERS)}; videos take tags while they are written"
        )
    return _WRITERS[kind](content, comment.encode())


def check_comment(comment: str) -> None:
    """Raises ValueError on one that a container cannot hold."""
    size = len(comment.encode())
    if size > MAX_COMMENT_BYTES or "\0" in comment:
        raise ValueError(f"comment of {size} bytes: wanted at most {MAX_COMMENT_BYTES}, none of them 0")


def read_comment(path: Path) -> str | None:
    """The comment of a png, jpg, wav, mp4 or mkv; None where it has none. Raises a MediaError when the file cannot be read."""
    head = _head(path)
    if head.startswith(_PNG):
        found = [data[len(_PNG_KEY) :] for name, data in _png_chunks(path.read_bytes()) if _is_comment(name, data)]
        return found[0].decode(errors="replace") if found else None
    if head.startswith(_JPEG):
        return _jpeg_comment(path.read_bytes())
    with open_container(path, MediaLimits(formats=(*VIDEO_FORMATS, *AUDIO_FORMATS))) as container:
        tags = {name.lower(): value for name, value in container.metadata.items()}
    return tags.get("comment")


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(8)
    except OSError as error:
        raise UnreadableMediaError(f"{path}: cannot be opened: {error.strerror}") from error


_PNG_KEY = b"comment\0\0\0\0\0"
"""Of an iTXt chunk: keyword, not compressed, no language, no translated keyword; the text in UTF-8 follows."""


def _is_comment(name: bytes, data: bytes) -> bool:
    return name == b"iTXt" and data.startswith(_PNG_KEY)


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, data) of each chunk, as far as they are whole."""
    place = len(_PNG)
    while place + 12 <= len(content):
        (size,) = struct.unpack(">I", content[place : place + 4])
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + size]
        place += 12 + size


def _png(content: bytes, comment: bytes) -> bytes:
    """After the header chunk, which is 25 bytes long and always the first."""
    if not content.startswith(_PNG) or content[12:16] != b"IHDR":
        raise ValueError("comment: this is no PNG")
    body = b"iTXt" + _PNG_KEY + comment
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return content[:33] + chunk + content[33:]


def _jpeg(content: bytes, comment: bytes) -> bytes:
    """Before the first segment that is not an APPn, which readers want first; instead of the encoder's own comment."""
    segments, rest = _jpeg_segments(content)
    kept = [(name, data) for name, data in segments if name != _COM]
    place = next((i for i, (name, _) in enumerate(kept) if not 0xE0 <= name <= 0xEF), len(kept))
    kept.insert(place, (_COM, comment))
    head = b"".join(bytes([0xFF, name]) + struct.pack(">H", len(data) + 2) + data for name, data in kept)
    return _JPEG + head + rest


_COM, _SOS = 0xFE, 0xDA


def _jpeg_segments(content: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """(name, data) of the segments before the picture, and the rest from there."""
    if not content.startswith(_JPEG):
        raise ValueError("comment: this is no JPEG")
    place, segments = 2, []
    while content[place : place + 1] == b"\xff" and place + 4 <= len(content) and content[place + 1] != _SOS:
        (size,) = struct.unpack(">H", content[place + 2 : place + 4])
        segments.append((content[place + 1], content[place + 4 : place + 2 + size]))
        place += 2 + size
    return segments, content[place:]


def _jpeg_comment(content: bytes) -> str | None:
    """The last one, as Pillow has it."""
    found = [data for name, data in _jpeg_segments(content)[0] if name == _COM]
    return found[-1].decode(errors="replace") if found else None


def _wav(content: bytes, comment: bytes) -> bytes:
    """A LIST of kind INFO at the end, as RIFF has them; the size at the beginning grows with it."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise ValueError("comment: this is no WAV")
    text = comment + b"\0" * (2 - len(comment) % 2)  # ends with a zero, of even length
    info = b"INFOICMT" + struct.pack("<I", len(text)) + text
    chunk = b"LIST" + struct.pack("<I", len(info)) + info
    body = content + b"\0" * (len(content) % 2) + chunk
    return body[:4] + struct.pack("<I", len(body) - 8) + body[8:]


_WRITERS: dict[str, Callable[[bytes, bytes], bytes]] = {"png": _png, "jpg": _jpeg, "wav": _wav}
