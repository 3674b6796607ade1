"""Bytes of media made by hand: tiny clips, boxes of mp4, elements of Matroska, stills that inflate. For files no tool would write."""

import io
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

FPS, NUM_FRAMES, SIDE = 12, 18, 64
"""Of the small clips: a second and a half."""


def picture(place: int, number: int, width: int = SIDE, height: int = SIDE) -> np.ndarray:
    """(H, W, 3) uint8: a texture of blocks, another for each `number`, that wanders with `place`."""
    rng = np.random.default_rng(number)
    blocks = rng.integers(0, 256, (-(-height // 8), -(-width // 8), 3), np.uint8)
    texture = blocks.repeat(8, 0).repeat(8, 1)[:height, :width]
    return np.ascontiguousarray(np.roll(texture, (place, 2 * place), (0, 1)))


@cache
def clip(
    number: int = 0,
    *,
    size: tuple[int, int] = (SIDE, SIDE),
    num_frames: int = NUM_FRAMES,
    fps: int = FPS,
    codec: str = "libx264",
    container: str = "mp4",
    pix_fmt: str = "yuv420p",
    options: tuple[tuple[str, str], ...] = (),
    muxing: tuple[tuple[str, str], ...] = (),
    rest: tuple[tuple[str, str], ...] = (),
    shift: Callable[[int], int] | None = None,
) -> bytes:
    """A small clip; `shift` gives the timestamp of each packet, `rest` are the container's tags, `muxing` its options."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=container, options=dict(muxing)) as out:
        out.metadata.update(rest)
        stream = out.add_stream(codec, rate=fps, options={"bf": "0", **dict(options)})
        stream.width, stream.height = size
        stream.pix_fmt, stream.codec_context.thread_count = pix_fmt, 1
        packets: list[Any] = []
        for place in range(num_frames):
            frame = av.VideoFrame.from_ndarray(picture(place, number, *size), "rgb24").reformat(format=pix_fmt)
            frame.pts = place
            packets += stream.encode(frame)
        for place, packet in enumerate([*packets, *stream.encode(None)]):
            if shift is not None:
                packet.pts = packet.dts = shift(place)
            out.mux(packet)
    return file.getvalue()


@cache
def sound_only(container: str = "mp4") -> bytes:
    """A second of silence and no picture."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream("aac", rate=48000, layout="mono")
        for start in range(0, 48000, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 48000, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


@cache
def jpegs(number: int = 0, num_frames: int = NUM_FRAMES) -> tuple[bytes, ...]:
    """The frames of a small clip as JPEGs."""
    import av

    context = av.CodecContext.create("mjpeg", "w")
    context.width = context.height = SIDE
    context.pix_fmt, context.time_base = "yuvj420p", Fraction(1, FPS)
    found = []
    for place in range(num_frames):
        frame = av.VideoFrame.from_ndarray(picture(place, number), "rgb24").reformat(format="yuvj420p")
        frame.pts = place
        found += [bytes(packet) for packet in context.encode(frame)]
    return (*found, *(bytes(packet) for packet in context.encode(None)))


@cache
def still(width: int, height: int, bits: int = 1) -> bytes:
    """A black PNG of so many bits a pixel; 16000 x 16000 of one bit are 32 KB."""
    packer = zlib.compressobj()
    row = b"\0" * (1 + -(-width * bits // 8))
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I4s", len(part), kind) + part + struct.pack(">I", zlib.crc32(kind + part))
        for kind, part in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of an mp4 [ISO 14496-12 4.2]."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def nested(kind: bytes, depth: int) -> bytes:
    """Boxes of one kind, each in the one before."""
    return b"".join(struct.pack(">I4s", 8 * (depth - level), kind) for level in range(depth))


def patched(content: bytes, kind: bytes, offset: int, layout: str, *values: int) -> bytes:
    """The mp4 with values written `offset` bytes after the name of its first box of that kind."""
    out = bytearray(content)
    struct.pack_into(layout, out, content.index(kind) + 4 + offset, *values)
    return bytes(out)


def element(ident: int, *parts: bytes) -> bytes:
    """An element of Matroska [RFC 8794 §7], its size in eight bytes."""
    body = b"".join(parts)
    return ident.to_bytes((ident.bit_length() + 7) // 8) + (len(body) | 1 << 56).to_bytes(8) + body


def number(ident: int, value: int) -> bytes:
    """An element that holds an unsigned integer."""
    return element(ident, value.to_bytes(8))


def matroska(
    frames: Sequence[bytes],
    times: Iterable[int],
    *,
    scale: int = 1_000_000,
    size: tuple[int, int] = (SIDE, SIDE),
    codec: bytes = b"V_MJPEG",
    kind: int = 1,
    num_tracks: int = 1,
    track: bytes = b"",
    extra: bytes = b"",
) -> bytes:
    """A Matroska file with one cluster a frame; `times` in units of `scale` ns, `track` and `extra` elements beside."""
    header = element(0x1A45DFA3, element(0x4282, b"matroska"), number(0x4287, 4), number(0x4285, 2))
    shape = element(0xE0, number(0xB0, size[0]), number(0xBA, size[1])) if kind == 1 else b""
    tracks = [
        element(0xAE, number(0xD7, n), number(0x73C5, n), number(0x83, kind), element(0x86, codec), shape, track)
        for n in range(1, num_tracks + 1)
    ]
    info = element(0x1549A966, number(0x2AD7B1, scale), element(0x4D80, b"forge"), element(0x5741, b"forge"))
    clusters = [_cluster(frame, time) for frame, time in zip(frames, times, strict=False)]
    return header + element(0x18538067, info, element(0x1654AE6B, *tracks), extra, *clusters)


def _cluster(frame: bytes, time: int) -> bytes:
    """A cluster of one key frame; a negative time is the block's own, below a cluster at 0."""
    return element(
        0x1F43B675,
        number(0xE7, max(time, 0)),
        element(0xA3, b"\x81" + struct.pack(">hB", min(time, 0), 0x80) + frame),
    )


def vfw(tag: bytes, width: int, height: int) -> bytes:
    """Codec private data that names a codec by its four letters, for the codec `V_MS/VFW/FOURCC`."""
    return element(0x63A2, struct.pack("<IIIHH4sIIIII", 40, width, height, 1, 24, tag, 0, 0, 0, 0, 0))


def tag(name: str, value: str) -> bytes:
    """A tag of the file: its name and its text."""
    return element(
        0x7373, element(0x63C0), element(0x67C8, element(0x45A3, name.encode()), element(0x4487, value.encode()))
    )


def attachment(name: str, mime: str, content: bytes) -> bytes:
    """An attached file."""
    parts = element(0x466E, name.encode()), element(0x4660, mime.encode()), element(0x465C, content), number(0x46AE, 7)
    return element(0x61A7, *parts)


def chapter(uid: int, start: int, name: str) -> bytes:
    """A chapter of a second, `start` in seconds."""
    shown = element(0x80, element(0x85, name.encode()), element(0x437C, b"eng"))
    return element(0xB6, number(0x73C4, uid), number(0x91, start * 10**9), number(0x92, (start + 1) * 10**9), shown)
