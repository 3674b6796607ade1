"""Opens untrusted media: allow-lists and limits before the first frame is decoded, counts and clocks while decoding."""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .kinds import AGAIN, describe
from .limits import DecodeMemoryError, MediaLimits, RefusedMediaError, UnreadableMediaError

OPEN_TIMEOUT_S = 20.0
"""Seconds that one read from the disk may take."""

SEEKABLE_FORMATS = ("mov", "matroska")
"""Containers with an index of exact timestamps: frames are fetched by seeking in these only."""


@contextmanager
def open_container(source: Path | bytes, limits: MediaLimits) -> Iterator[Any]:
    """The PyAV input container of a file or of a file's bytes, closed on leaving.

    Only `limits.formats` and the protocol `file` are allowed. Raises UnreadableMediaError or RefusedMediaError.
    """
    import av

    name = source_name(source)
    options = {
        "format_whitelist": ",".join(limits.formats),
        "protocol_whitelist": "file",
        "max_pixels": str(limits.max_pixels),
        "threads": "1",
    }
    try:
        container = av.open(_openable(source), options=options, timeout=OPEN_TIMEOUT_S, metadata_errors="replace")
    except av.error.ArgumentError as error:
        told = _described(source, limits) or f"({', '.join(limits.formats)})"
        raise RefusedMediaError(f"{name}: its content is none of the formats read here: {told}") from error
    except av.error.MemoryError as error:
        raise DecodeMemoryError(
            f"{name}: opening it needs more memory than allowed, or it has over 1000 streams"
        ) from error
    except (av.error.FFmpegError, UnicodeError, ValueError) as error:
        told = _described(source, limits) if isinstance(error, av.error.InvalidDataError) else ""
        raise UnreadableMediaError(f"{name}: cannot be opened: {told or reason(error)}") from error
    try:
        if len(container.streams) > limits.max_streams:
            raise RefusedMediaError(f"{name}: {len(container.streams)} streams, limit {limits.max_streams}")
        yield container
    finally:
        container.close()


def _described(source: Path | bytes, limits: MediaLimits) -> str:
    """What the source is, where a video was looked for; empty where a still was, whose kinds `describe` takes for misplaced."""
    return describe(source) if "mov" in limits.formats else ""


def choose_audio_stream(container: Any) -> Any | None:
    """The sound a player plays: the first stream marked default, else the first; None where there is none."""
    from av.stream import Disposition

    streams = container.streams.audio
    return next((s for s in streams if s.disposition & Disposition.default), streams[0] if streams else None)


def source_name(source: Path | bytes) -> str:
    """What errors call the source."""
    return f"<{len(source)} bytes>" if isinstance(source, bytes) else str(source)


def reason(error: Exception) -> str:
    """FFmpeg's words for an error, without the number and the file name."""
    return str(getattr(error, "strerror", None) or error)


def _openable(source: Path | bytes) -> Any:
    """What PyAV opens: `file:` keeps names that begin with a dash or hold a colon from meaning something else."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        status = os.stat(source)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        raise UnreadableMediaError(f"{source}: cannot be opened: {reason(error)}") from error
    if not stat.S_ISREG(status.st_mode):
        raise RefusedMediaError(f"{source}: is no regular file")
    if status.st_size == 0:
        raise UnreadableMediaError(f"{source}: is empty: 0 bytes; {AGAIN}")
    return f"file:{source}"


def decode_packets(name: str, container: Any, stream: Any, limits: MediaLimits) -> Iterator[Any]:
    """Decoded frames; what does not decode before the first good frame is skipped, after it it counts as damage."""
    import av

    damaged, has_begun = 0, False
    for packet in demux_packets(name, container, stream):
        try:
            frames = packet.decode()
        except av.error.MemoryError as error:
            raise DecodeMemoryError(f"{name}: a frame needs more memory than allowed") from error
        except av.error.FFmpegError as error:
            frames, why = [], reason(error)
            damaged += has_begun and not isinstance(error, av.error.EOFError)
        else:
            why = "a frame is corrupt"
        for frame in frames:
            if frame.is_corrupt and not has_begun:
                continue
            damaged += frame.is_corrupt
            if damaged > limits.max_damaged:
                break
            has_begun = True
            yield frame
        if damaged > limits.max_damaged:
            raise UnreadableMediaError(f"{name}: is damaged near {_seconds(packet, stream)}: {why}")


def demux_packets(name: str, container: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets. Raises UnreadableMediaError where the file cannot be read on."""
    import av

    try:
        yield from container.demux(stream)
    except av.error.FFmpegError as error:
        raise UnreadableMediaError(f"{name}: cannot be read to its end: {reason(error)}") from error


def _seconds(packet: Any, stream: Any) -> str:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return "its end" if stamp is None else f"{float(stamp * stream.time_base):.3f} s"
