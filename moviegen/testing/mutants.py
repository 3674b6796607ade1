"""Mutants: small good files of many formats with a few bytes changed, moved, lost or doubled, as a fuzzer makes them."""

import numpy as np

from .forge import NUM_FRAMES, clip, jpegs, matroska

_TIMES = range(0, NUM_FRAMES * 83, 83)
_NUMBERS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1", b"\0\1\0\0", b"\1\0\0\0")
"""What fields of sizes and counts are set to."""


def seeds() -> dict[str, bytes]:
    """Twenty good files by name."""
    fragments = (("movflags", "frag_keyframe+empty_moov"),)
    made = {
        "avc.mp4": clip(0), "avc.mov": clip(1, container="mov"), "avc.mkv": clip(2, container="matroska"),
        "avc.ts": clip(3, container="mpegts"), "avc.flv": clip(4, container="flv"), "avc.avi": clip(5, container="avi"),
        "fragments.mp4": clip(6, muxing=fragments), "full.mp4": clip(7, pix_fmt="yuv444p"),
        "frames_b.mp4": clip(8, options=(("bf", "2"),)), "hevc.mp4": clip(9, codec="libx265", options=(("x265-params", "log-level=0"),)),
        "mpeg4.avi": clip(10, codec="mpeg4", container="avi"), "mpeg4.mp4": clip(11, codec="mpeg4"),
        "mpeg2.ts": clip(12, codec="mpeg2video", container="mpegts", fps=25, num_frames=30),
        "vp8.webm": clip(14, codec="libvpx", container="webm", options=(("deadline", "realtime"),)),
        "ffv1.mkv": clip(15, codec="ffv1", container="matroska"), "mjpeg.avi": clip(16, codec="mjpeg", container="avi", pix_fmt="yuvj420p"),
        "mjpeg.mkv": matroska(jpegs(17), _TIMES), "raw.avi": clip(18, codec="rawvideo", container="avi", pix_fmt="bgr24", num_frames=13),
        "large.mp4": clip(19, size=(160, 96)), "png.mov": clip(20, codec="png", container="mov", pix_fmt="rgb24", num_frames=13),
    }  # fmt: skip
    assert len(made) == 20
    return made


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """The file after one to four changes; half of them within its first or last kilobyte, where headers are."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        _change(data, rng)
    return bytes(data)


def _change(data: bytearray, rng: np.random.Generator) -> None:
    place = _place(len(data), rng)
    length = int(min(len(data) - place, 2 ** rng.integers(0, 11)))
    kind = int(rng.integers(7))
    if kind == 0:
        data[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        data[place : place + 4] = _NUMBERS[int(rng.integers(len(_NUMBERS)))]
    elif kind == 2:
        data[place : place + length] = rng.bytes(length)
    elif kind == 3:
        del data[place : place + length]
    elif kind == 4:
        data[place:place] = data[place : place + length] * int(rng.integers(1, 9))
    elif kind == 5:
        other = _place(len(data), rng)
        data[place : place + length] = data[other : other + length]
    else:
        del data[max(1, place) :]
    if not data:
        data += b"\0"


def _place(length: int, rng: np.random.Generator) -> int:
    """A byte of a file; every second time near its beginning or end."""
    near = int(rng.integers(min(length, 1024)))
    return (int(rng.integers(length)), near, int(rng.integers(length)), length - 1 - near)[int(rng.integers(4))]
