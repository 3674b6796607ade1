"""Hostile mp4 files: cut off, changed, and with boxes that lie about sizes, counts, times and depth."""

import struct
import zlib

import numpy as np

from .forge import NUM_FRAMES, box, clip, nested, patched, sound_only
from .hostile import Hostile, Place, own

_BROKEN = "|".join(
    f"failed {words}"
    for words in (
        "cannot be opened", "cannot be read", "none of the formats", "no stream at all", "no frame", "no decoder", "cut off", "damaged",
    )
)  # fmt: skip
_ANY = "accepted|rejected|failed"
"""Where a reader may go either way: some frames are right, or the lie is one that nobody has to believe."""

FTYP = box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41")


def _bare() -> bytes:
    """A clip without an edit list, which would say how long it is a second time."""
    return clip(1, muxing=(("use_editlist", "0"),))


def _cut(share: float) -> Hostile:
    return Hostile(f"cut_{share:g}.mp4", _BROKEN, lambda place: clip(0)[: int(len(clip(0)) * share)])


def _flipped(seed: int, count: int) -> Hostile:
    def content(place: Place) -> bytes:
        rng, data = np.random.default_rng(seed), np.frombuffer(own(seed), np.uint8).copy()
        data[rng.integers(0, len(data), count)] ^= 1 << rng.integers(0, 8, count).astype(np.uint8)
        return data.tobytes()

    return Hostile(f"flipped_{seed}.mp4", _ANY, content)


def _patch(name: str, ends: str, kind: bytes, offset: int, layout: str, *values: int) -> Hostile:
    return Hostile(
        name, ends, lambda place: patched(_bare(), kind, offset, layout, *values) + box(b"free", name.encode())
    )


def _zeroed(place: Place) -> bytes:
    content = clip(1)
    start = content.index(b"mdat") + 4
    return content[:start] + b"\0" * (content.index(b"moov") - 4 - start) + content[content.index(b"moov") - 4 :]


def _inflating(place: Place) -> bytes:
    """A compressed header [QuickTime `cmov`] that says it inflates to 2 GiB, and to 16 MiB does."""
    packed = zlib.compress(b"\0" * (16 << 20), 9)
    return FTYP + box(
        b"moov", box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", struct.pack(">I", (1 << 31) - 1), packed))
    )


def _many_tracks(place: Place) -> bytes:
    content = clip(1)
    start = content.index(b"trak") - 4
    size = struct.unpack_from(">I", content, start)[0]
    moov, header = content.index(b"moov") - 4, content.index(b"mvhd") - 4
    head = content[header : header + struct.unpack_from(">I", content, header)[0]]
    return content[:moov] + box(b"moov", head, content[start : start + size] * 300)


def _tagged(place: Place) -> bytes:
    return clip(1, rest=(("title", "\x1b[2J\x07<script>alert(1)</script>{{7*7}}=cmd()"), ("comment", "x" * 1_000_000)))


BROKEN = [
    Hostile("empty.mp4", "failed is empty", lambda place: b""),
    Hostile("one_byte.mp4", _BROKEN, lambda place: b"\0"),
    Hostile("hundred.mp4", _BROKEN, lambda place: clip(0)[:100]),
    *(_cut(share) for share in (0.25, 0.5, 0.75, 0.9)),
    *(_flipped(seed, count) for seed, count in ((1, 1), (2, 8), (3, 64), (4, 512))),
    Hostile("noise.mp4", _BROKEN, lambda place: np.random.default_rng(0).bytes(1 << 16)),
    Hostile("zeros.mp4", _BROKEN, lambda place: b"\0" * (1 << 16)),
    Hostile("ones.ts", _BROKEN, lambda place: b"\xff" * (1 << 16)),
    Hostile("sync_only.ts", _BROKEN, lambda place: (b"\x47\x1f\xff\x10" + b"\xff" * 184) * 4000),
    Hostile("type_only.mp4", _BROKEN, lambda place: FTYP),
    Hostile("header_only.mp4", _BROKEN, lambda place: FTYP + clip(0)[clip(0).index(b"moov") - 4 :]),
    Hostile("data_only.mp4", _BROKEN, lambda place: clip(0)[: clip(0).index(b"moov") - 4]),
    Hostile("blank_frames.mp4", "failed", _zeroed),
    Hostile("header_twice.mp4", _ANY, lambda place: clip(1) + clip(1)[clip(1).index(b"moov") - 4 :]),
    Hostile("two_files.mp4", _ANY, lambda place: clip(1) + clip(2)),
]  # fmt: skip

LIES = [
    _patch("says_27_hours.mp4", "failed limit 7200 s", b"mdhd", 12, ">II", 1, 97200),
    _patch("says_136_years.mp4", "failed limit 7200 s", b"mdhd", 12, ">II", 1, 0xFFFFFFFF),
    _patch("says_no_time.mp4", _ANY, b"mdhd", 12, ">II", 12288, 0),
    _patch("no_clock.mp4", _ANY, b"mdhd", 12, ">I", 0),
    _patch("says_65535_px.mp4", _ANY, b"avc1", 24, ">HH", 65535, 65535),
    _patch("says_0_px.mp4", _ANY, b"avc1", 24, ">HH", 0, 0),
    _patch("stretched.mp4", _ANY, b"tkhd", 76, ">II", 0x7FFFFFFF, 1 << 16),
    _patch("four_billion_sizes.mp4", _ANY, b"stsz", 4, ">II", 0, 0xFFFFFFFF),
    _patch("four_billion_equal.mp4", _ANY, b"stsz", 4, ">II", 1, 0xFFFFFFFF),
    _patch("four_billion_times.mp4", _ANY, b"stts", 8, ">II", 0xFFFFFFFF, 1),
    _patch("four_billion_chunks.mp4", _ANY, b"stsc", 8, ">II", 1, 0xFFFFFFFF),
    _patch("huge_gap.mp4", _ANY, b"stts", 8, ">II", NUM_FRAMES, 0x7FFFFFFF),
    _patch("far_away.mp4", "failed", b"stco", 8, ">I", 0xFFFFFFF0),
    _patch("big_frame.mp4", "failed", b"stsz", 8 + 4, ">I", 0x7FFFFFFF),
    _patch("turned_to_nothing.mp4", _ANY, b"tkhd", 40, ">9I", *(0,) * 9),
    _patch("short_box.mp4", _BROKEN, b"mvhd", -8, ">I", 3),
    _patch("endless_box.mp4", _ANY, b"moov", -8, ">I", 0x7FFFFFFF),
    Hostile("deep.mp4", _BROKEN, lambda place: FTYP + nested(b"moov", 100_000)),
    Hostile("deep_data.mp4", _ANY, lambda place: own(6) + nested(b"udta", 100_000)),
    Hostile("many_boxes.mp4", "accepted", lambda place: own(7) + box(b"free") * 200_000),
    Hostile("large_size.mp4", _BROKEN, lambda place: FTYP + struct.pack(">I4sQ", 1, b"moov", 1 << 63)),
    Hostile("inflating_header.mov", _BROKEN + "|failed memory", _inflating),
    Hostile("many_tracks.mp4", "failed limit 16", _many_tracks),
    Hostile("tagged.mp4", "accepted", _tagged),
    Hostile("sound_only.mp4", "failed no video stream", lambda place: sound_only()),
    Hostile("encrypted.mp4", "failed", lambda place: clip(2, muxing=(
        ("encryption_scheme", "cenc-aes-ctr"), ("encryption_key", "00" * 16), ("encryption_kid", "11" * 16)))),
]  # fmt: skip

BOXES = [*BROKEN, *LIES]
"""Kinds of broken and lying mp4 files."""
