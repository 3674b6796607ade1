"""Hostile streams: frames that inflate, clocks that jump, streams that change midway, containers with far too much in them."""

from collections.abc import Iterable

from .forge import (
    FPS,
    NUM_FRAMES,
    SIDE,
    attachment,
    chapter,
    clip,
    element,
    jpegs,
    matroska,
    sound_only,
    still,
    tag,
    vfw,
)  # fmt: skip
from .hostile import Hostile, Place

_ANY = "accepted|rejected|failed"
_STEP_MS = 1000 // FPS
_EVEN = tuple(range(0, NUM_FRAMES * _STEP_MS, _STEP_MS))
"""Milliseconds of a small clip's frames."""


def _png(frames: Iterable[bytes], width: int, height: int, times: Iterable[int] = _EVEN) -> bytes:
    return matroska(
        tuple(frames), times, size=(width, height), codec=b"V_MS/VFW/FOURCC", track=vfw(b"MPNG", width, height)
    )


def _still(name: str, ends: str, width: int, height: int, said: tuple[int, int] | None = None) -> Hostile:
    return Hostile(name, ends, lambda place: _png([still(width, height)], *(said or (width, height))))


def _times(name: str, ends: str, times: Iterable[int], number: int, **options: int) -> Hostile:
    return Hostile(name, ends, lambda place: matroska(jpegs(number), list(times), **options))


def _gif(place: Place) -> bytes:
    """A picture of 65535 x 65535 px by its first ten bytes."""
    return b"GIF89a\xff\xff\xff\xff\x80\0\0" + b"\0" * 6 + b",\0\0\0\0\xff\xff\xff\xff\0\2\2L\1\0;"


def _packed_frames(place: Place) -> bytes:
    """Frames packed by the container: 64 KB that inflate to 64 MB."""
    import zlib

    packing = element(0x6D80, element(0x6240, element(0x5034, element(0x4254, b"\0"))))
    return matroska([zlib.compress(b"\0" * (64 << 20), 9)], [0], track=packing)


def _nested_tags(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        inner = element(0x67C8, element(0x45A3, b"a"), inner)
    return element(0x1254C367, element(0x7373, inner))


def _with(name: str, ends: str, extra: bytes, number: int) -> Hostile:
    return Hostile(name, ends, lambda place: matroska(jpegs(number), _EVEN, extra=extra))


def _ts(number: int, **options: object) -> bytes:
    return clip(number, container="mpegts", **options)


BOMBS = [
    _still("bomb.mkv", "failed 40000000 pixels", 16000, 16000),
    _still("bomb_that_lies.mkv", "failed 40000000 pixels|failed damaged", 16000, 16000, (64, 64)),
    _still("line.mkv", "failed px a side", 100_000, 1),
    _still("column_that_lies.mkv", "failed px a side", 1, 9000, (64, 64)),
    _still("ribbon.mkv", "failed 20 to 1", 2100, 100),
    _still("pixel.mkv", "rejected no_clip", 1, 1),
    _still("two_pixels.mkv", "rejected no_clip", 2, 1),
    Hostile("bomb_midway.mkv", "failed", lambda place: _png([still(SIDE, SIDE)] * 6 + [still(16000, 16000)], SIDE, SIDE)),
    Hostile("bomb_gif.mp4", "failed", _gif),
    Hostile("packed_frames.mkv", "failed", _packed_frames),
    Hostile("no_size.mkv", "accepted|failed", lambda place: matroska(jpegs(30), _EVEN, size=(0, 0))),
    Hostile("says_65535.mkv", _ANY, lambda place: matroska(jpegs(31), _EVEN, size=(65535, 65535))),
]  # fmt: skip

CLOCKS = [
    _times("even.mkv", "accepted", _EVEN, 40),
    _times("all_at_once.mkv", _ANY, [0] * NUM_FRAMES, 41),
    _times("backwards.mkv", _ANY, reversed(_EVEN), 42),
    _times("before_zero.mkv", _ANY, [ms - 900 for ms in _EVEN], 43),
    _times("shuffled.mkv", _ANY, [(n * 7 % NUM_FRAMES) * _STEP_MS for n in range(NUM_FRAMES)], 44),
    _times("day_gap.mkv", "failed limit 7200 s", [*_EVEN[:9], *(ms + 86_400_000 for ms in _EVEN[9:])], 45),
    _times("end_of_time.mkv", _ANY, [ms + (1 << 62) for ms in _EVEN], 46),
    _times("no_unit.mkv", _ANY, _EVEN, 47, scale=0),
    _times("huge_unit.mkv", _ANY, _EVEN, 48, scale=1 << 62),
    _times("microseconds.mkv", "failed frames per second|rejected|failed", _EVEN, 49, scale=1),
    Hostile("runs_over.ts", "accepted", lambda place: _ts(50, muxing=(("output_ts_offset", "95442.8"),))),
    Hostile("joined.ts", "accepted", lambda place: _ts(51) * 2),
    Hostile("thousand_a_second.mp4", "failed 1000 frames per second", lambda place: clip(52, fps=1000)),
    Hostile("two_hours.mp4", "failed limit 7200 s", lambda place: clip(53, shift=lambda n: n * 12 * 800)),
    Hostile("two_hours.ts", "failed limit 7200 s", lambda place: _ts(54, shift=lambda n: n * 12 * 800)),
    Hostile("one_frame.mp4", "rejected no_clip", lambda place: clip(55, num_frames=1)),
    Hostile("two_frames.mp4", "rejected no_clip", lambda place: clip(56, num_frames=2)),
]  # fmt: skip

CHANGES = [
    Hostile("grows.ts", _ANY, lambda place: _ts(60) + _ts(61, size=(128, 96))),
    Hostile("changes_codec.ts", _ANY, lambda place: _ts(62) + _ts(63, codec="mpeg2video", fps=25)),
    Hostile("changes_rate.ts", _ANY, lambda place: _ts(64) + _ts(65, fps=60)),
    Hostile("changes_colours.ts", _ANY, lambda place: _ts(66) + _ts(67, pix_fmt="yuv444p")),
    Hostile("middle.ts", _ANY, lambda place: _ts(68)[188 * 5 :]),
    Hostile("dropped.ts", _ANY, lambda place: _ts(69)[: 188 * 8] + _ts(69)[188 * 11 :]),
]  # fmt: skip

CROWDS = [
    Hostile("streams_17.mkv", "failed 17 streams", lambda place: matroska(jpegs(70), _EVEN, num_tracks=17)),
    Hostile("streams_500.mkv", "failed limit 16", lambda place: matroska(jpegs(70), _EVEN, num_tracks=500)),
    _with("chapters.mkv", "accepted", element(0x1043A770, element(0x45B9, *(chapter(n + 1, n, "x" * 99) for n in range(10_000)))), 71),
    _with("tags.mkv", "accepted", element(0x1254C367, *(tag(f"t{n}", "<b>\x1b[31m") for n in range(200))), 72),
    _with("long_tag.mkv", "accepted", element(0x1254C367, tag("title", "A" * 10_000_000)), 73),
    _with("deep_tags.mkv", _ANY, _nested_tags(2000), 74),
    _with("attached.mkv", "accepted", element(0x1941A469, attachment("../../../etc/passwd", "text/plain", b"x" * 20_000_000)), 75),
    _with("many_attached.mkv", _ANY, element(0x1941A469, *(attachment(f"{n}.ttf", "font/ttf", b"x") for n in range(500))), 76),
    Hostile("cover_only.mkv", "failed no video stream|failed no stream at all|failed cannot be opened", lambda place: matroska(
        [], [], num_tracks=0, extra=element(0x1941A469, attachment("cover.jpg", "image/jpeg", jpegs(77)[0])))),
    Hostile("subtitles_only.mkv", "failed no video stream", lambda place: matroska(
        [b"<script>alert(1)</script>"] * 9, range(9), codec=b"S_TEXT/UTF8", kind=0x11)),
    Hostile("no_frames.mkv", "failed", lambda place: matroska([], [])),
    Hostile("unknown_codec.mkv", "failed", lambda place: matroska(jpegs(78), _EVEN, codec=b"V_NOBODY")),
    Hostile("sound_only.ts", "failed no video stream", lambda place: sound_only("mpegts")),
    Hostile("endless_element.mkv", "failed", lambda place: matroska(jpegs(79), _EVEN)[:600] + bytes.fromhex("1f43b67501fffffffffffffe")),
]  # fmt: skip

ODD = [
    Hostile("odd_size.mkv", "accepted", lambda place: clip(80, size=(97, 65), codec="ffv1", container="matroska", pix_fmt="yuv444p")),
    Hostile("ten_bits.mkv", "accepted", lambda place: clip(81, codec="ffv1", container="matroska", pix_fmt="yuv420p10le")),
    Hostile("alpha.mkv", "accepted", lambda place: clip(82, codec="ffv1", container="matroska", pix_fmt="yuva420p")),
    Hostile("old.avi", "accepted", lambda place: clip(83, codec="mpeg4", container="avi")),
    Hostile("web.webm", "accepted", lambda place: clip(84, codec="libvpx", container="webm", options=(("deadline", "realtime"),))),
    Hostile("broadcast.ts", "accepted", lambda place: _ts(85, codec="mpeg2video", fps=25, num_frames=40)),
    Hostile("flash.flv", "accepted", lambda place: clip(86, codec="libx264", container="flv")),
    Hostile("raw.avi", "accepted", lambda place: clip(87, codec="rawvideo", container="avi", pix_fmt="bgr24")),
]  # fmt: skip

COSTLY = [
    # FFmpeg sorts all tags again for each one: a megabyte of them takes it a day
    Hostile("many_tags.mkv", "failed took longer", lambda place: matroska(
        jpegs(79), _EVEN, extra=element(0x1254C367, *(tag(f"t{n}", "x") for n in range(8000))))),
    Hostile("as_large_as_allowed.mkv", "accepted|rejected", lambda place: _png([still(8192, 4880, 8)] * NUM_FRAMES, 8192, 4880)),
    Hostile("many_frames.mkv", "accepted", lambda place: matroska(
        jpegs(78) * 300, [n * 8 for n in range(300 * NUM_FRAMES)])),
]  # fmt: skip
"""Kinds that take seconds to judge: for the benchmark."""

STREAMS = [*BOMBS, *CLOCKS, *CHANGES, *CROWDS, *ODD]
"""Kinds of hostile and odd streams; the odd ones are right and must be taken."""
