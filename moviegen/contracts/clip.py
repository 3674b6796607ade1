"""Videos, shots and clips: records, exact time, and the ids that make a rerun overwrite instead of duplicate."""

import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

ID_LENGTH = 32
"""Hex digits of an id: 128 bits of a SHA-256."""


_PLAIN = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def hash_id(*parts: object) -> str:
    """The id of a tuple of plain values: the same values give the same 32 hex digits on every machine."""
    return hashlib.sha256(_PLAIN.encode(parts).encode()).hexdigest()[:ID_LENGTH]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits. Raises OSError when the file cannot be read."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def video_id_of(sha256: str) -> str:
    """The id of a video: the beginning of the SHA-256 of its bytes."""
    if len(sha256) != 64:
        raise ValueError(f"sha256 has {len(sha256)} digits, wanted 64: {sha256!r}")
    return sha256[:ID_LENGTH]


def pts_to_seconds(pts: int, time_base: Fraction) -> Fraction:
    """Seconds of a presentation timestamp, exact."""
    return pts * time_base


def seconds_to_pts(seconds: Fraction | float, time_base: Fraction) -> int:
    """The last timestamp at or before `seconds`; the inverse of `pts_to_seconds` on whole timestamps."""
    return int(Fraction(seconds) / time_base // 1)


@dataclass(frozen=True)
class Video:
    """A raw source file as probed; sizes as a viewer sees them (rotation and sample aspect applied)."""

    video_id: str
    uri: str
    sha256: str
    container: str
    video_codec: str
    audio_codec: str | None
    width: int
    height: int
    fps_num: int
    fps_den: int
    num_frames: int | None
    duration: float | None
    rotation: int
    has_audio: bool

    @property
    def fps(self) -> Fraction:
        """Average frames per second."""
        return Fraction(self.fps_num, self.fps_den)


@dataclass(frozen=True)
class Shot:
    """The frames between two cuts, `[start_pts, end_pts)` on the source's own time base."""

    video_id: str
    shot: int
    start_pts: int
    end_pts: int
    start_frame: int
    num_frames: int
    transition: str
    """How the shot begins: `start`, `cut`, `dissolve`, `fade` or `wipe`."""
    transition_frames: int
    """Frames at its start that still show the shot before; no clip takes them. 0 after a hard cut."""
    score: float | None
    """The cut score that opened it, in the detector's own unit; None for the first shot."""


@dataclass(frozen=True)
class Clip:
    """A span inside one shot of a video: the unit of the dataset, 4-16 s [S §3.2.1]. Frames `[start_pts, end_pts)`."""

    clip_id: str
    video_id: str
    shot: int
    start_pts: int
    end_pts: int
    tb_num: int
    tb_den: int
    start_frame: int
    num_frames: int
    fps_num: int
    fps_den: int
    width: int
    """As displayed and without what is cropped, px."""
    height: int
    crop_top: int = 0
    """Rows of the picture as displayed, px, that do not belong to the clip: borders that the split cut off."""
    crop_bottom: int = 0
    crop_left: int = 0
    crop_right: int = 0

    def __post_init__(self) -> None:
        if self.end_pts <= self.start_pts:
            raise ValueError(f"clip {self.clip_id}: end_pts {self.end_pts} is not after start_pts {self.start_pts}")
        if self.num_frames < 1:
            raise ValueError(f"clip {self.clip_id}: num_frames is {self.num_frames}, wanted at least 1")

    @property
    def time_base(self) -> Fraction:
        """Seconds per timestamp unit."""
        return Fraction(self.tb_num, self.tb_den)

    @property
    def fps(self) -> Fraction:
        """Average frames per second of the source."""
        return Fraction(self.fps_num, self.fps_den)

    @property
    def start_s(self) -> float:
        """Seconds from the source's timestamp zero to the first frame."""
        return float(pts_to_seconds(self.start_pts, self.time_base))

    @property
    def is_cropped(self) -> bool:
        """Whether the clip is less than the source's picture."""
        return any((self.crop_top, self.crop_bottom, self.crop_left, self.crop_right))

    def crop_window(self, height: int, width: int) -> tuple[slice, slice]:
        """The clip's rows and columns of a picture of the source as displayed, of full size."""
        return slice(self.crop_top, height - self.crop_bottom), slice(self.crop_left, width - self.crop_right)

    @property
    def duration(self) -> float:
        """Seconds the clip lasts."""
        return float(pts_to_seconds(self.end_pts - self.start_pts, self.time_base))


def clip_id_of(video_id: str, start_pts: int, end_pts: int, splitter: str) -> str:
    """The id of a span of a video under given splitter settings (`splitter` is their hash)."""
    return hash_id(video_id, start_pts, end_pts, splitter)
