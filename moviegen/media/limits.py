"""What a media file may ask for before it is decoded, and the errors that say why one was not."""

from dataclasses import dataclass
from fractions import Fraction

from moviegen.errors import MovieGenError


class MediaError(MovieGenError):
    """A media file that cannot be used: which file, what, why."""

    exit_code = 2


class UnreadableMediaError(MediaError):
    """The file is no media, is cut off, or is damaged."""


class RefusedMediaError(MediaError):
    """The file asks for more than a limit allows, or is of a format that is not read here."""


class NoVideoError(MediaError):
    """The file has no video stream."""


class DecodeTimeoutError(MediaError):
    """Decoding took longer than its wall-clock limit; the worker was killed."""


class DecodeMemoryError(MediaError):
    """Decoding asked for more memory than its limit."""


class DecodeCrashError(MediaError):
    """The worker died while decoding: the decoder crashed, or someone killed it."""


VIDEO_FORMATS = ("mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "flv", "ogg", "gif")
"""Demuxers that may open a video. Playlists, image sequences, devices and protocols-in-a-file are not among them."""

AUDIO_FORMATS = ("wav", "flac", "mp3", "aac", "ogg", "aiff")
"""Demuxers that may open a file for its sound, beside those of videos."""

IMAGE_FORMATS = ("png_pipe", "jpeg_pipe", "webp_pipe", "bmp_pipe")
"""Demuxers that may open a still."""


@dataclass(frozen=True)
class MediaLimits:
    """Limits checked before decoding and, because headers lie, again while decoding. The numbers are our decision."""

    max_pixels: int = 40_000_000
    """Pixels of a coded frame; the decoder itself refuses more."""
    max_side_px: int = 8192
    """Longest side, coded or as displayed."""
    max_aspect: float = 20.0
    """Longer side over shorter side, as displayed."""
    max_fps: float = 240.0
    """Average frames per second by the header."""
    max_duration_s: float = 7200.0
    """Seconds, by the header and by the frames' timestamps."""
    max_frames: int = 1_728_000
    """Frames decoded of one file: 7200 s at 240 fps."""
    max_streams: int = 16
    """Streams of any kind in the container."""
    max_damaged: int = 0
    """Packets that do not decode, plus frames the decoder marks corrupt, after the first good frame."""
    formats: tuple[str, ...] = VIDEO_FORMATS
    """Names of demuxers that may open the file."""

    def __post_init__(self) -> None:
        for name in (
            "max_pixels",
            "max_side_px",
            "max_aspect",
            "max_fps",
            "max_duration_s",
            "max_frames",
            "max_streams",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"MediaLimits.{name} is {getattr(self, name)}, wanted more than 0")
        if not self.formats:
            raise ValueError("MediaLimits.formats is empty: nothing could be opened")

    def check_size(self, name: str, width: int, height: int) -> None:
        """Raises RefusedMediaError when a frame of `width` x `height` px is over a limit. `name` is the file's."""
        if width < 1 or height < 1:
            raise UnreadableMediaError(f"{name}: frame size is {width}x{height} px")
        if width * height > self.max_pixels:
            raise RefusedMediaError(f"{name}: {width}x{height} is over the limit of {self.max_pixels} pixels a frame")
        if max(width, height) > self.max_side_px:
            raise RefusedMediaError(f"{name}: {width}x{height} is over the limit of {self.max_side_px} px a side")
        if max(width, height) > self.max_aspect * min(width, height):
            raise RefusedMediaError(f"{name}: {width}x{height} is longer than the limit of {self.max_aspect:g} to 1")

    def check_rate(self, name: str, fps: Fraction) -> None:
        """Raises RefusedMediaError when the header's average frame rate is over the limit."""
        if fps > self.max_fps:
            raise RefusedMediaError(f"{name}: {float(fps):.6g} frames per second, limit {self.max_fps:g}")

    def check_duration(self, name: str, duration: float) -> None:
        """Raises RefusedMediaError when the file lasts longer than the limit (seconds)."""
        if duration > self.max_duration_s:
            raise RefusedMediaError(f"{name}: lasts {duration:.6g} s, limit {self.max_duration_s:g} s")

    def check_frames(self, name: str, num_frames: int) -> None:
        """Raises RefusedMediaError when more frames were decoded than the limit."""
        if num_frames > self.max_frames:
            raise RefusedMediaError(f"{name}: more than {self.max_frames} frames")
