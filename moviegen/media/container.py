"""An opened video: its stream within the limits, its geometry, its frames with timestamps that always grow."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from .demux import SEEKABLE_FORMATS, decode_packets, open_container, reason, source_name
from .display import FrameConverter, Orientation, PlanesConverter, displayed_size, matrix_of, orientation_of
from .kinds import describe
from .limits import MediaLimits, NoVideoError, UnreadableMediaError
from .truncation import check_whole

MAX_JUMP_BACK_S = 1
"""Timestamps that go back by more than this start a new timeline (joined recordings), which is appended to the old one."""

MAX_HELD_FRAMES = 16
"""Frames that a decoder holds back at most, to put them in order [H.264 Annex A: the size of its buffer]."""


@dataclass(frozen=True)
class Timed:
    """A decoded `av.VideoFrame` and its place: `index` counts from the file's first frame, -1 after a seek; `pts` always grows."""

    index: int
    pts: int
    frame: Any


class OpenVideo:
    """An opened video: the chosen stream, guarded, and the geometry that its first frame told."""

    def __init__(self, name: str, container: Any, stream: Any, limits: MediaLimits) -> None:
        self.name = name
        self.container = container
        self.stream = stream
        self.limits = limits
        self._has_sought = False
        self._frames = self._decode(is_start=True)
        self._first: Timed | None = next(self._frames, None)
        if self._first is None:
            codec = stream.codec_context.name
            raise UnreadableMediaError(
                f"{name}: no frame of its video stream ({codec}) can be decoded: damaged, encrypted, "
                f"or over the limit of {limits.max_pixels} pixels a frame"
            )
        frame, aspect = self._first.frame, stream.sample_aspect_ratio
        self.start_pts: int = self._first.pts
        """Timestamp of the first frame."""
        self.coded_size: tuple[int, int] = (frame.width, frame.height)
        """(width, height) in px of the first frame, before sample aspect and turn."""
        self.pix_fmt: str = frame.format.name
        self.sample_aspect: Fraction = aspect if aspect and aspect > 0 else Fraction(1)
        self.orientation: Orientation = orientation_of(frame)
        self.matrix: str = matrix_of(frame)
        """In which its planes go to an encoder: one of `display.MATRICES`."""

    @property
    def time_base(self) -> Fraction:
        """Seconds per timestamp unit."""
        return self.stream.time_base

    @property
    def display_size(self) -> tuple[int, int]:
        """(width, height) in px as a viewer sees it."""
        return displayed_size(*self.coded_size, self.sample_aspect, self.orientation)

    @property
    def is_seekable(self) -> bool:
        """Whether a seek lands on exact timestamps."""
        return self.container.format.name.split(",")[0] in SEEKABLE_FORMATS

    def converter(self, size: tuple[int, int] | None = None) -> FrameConverter:
        """A function from a decoded frame to RGB (H, W, 3) uint8 as displayed, of `size` (width, height) if given."""
        return FrameConverter(self.display_size, self.orientation, size)

    def planes_converter(self, size: tuple[int, int], crop: tuple[slice, slice] | None = None) -> PlanesConverter:
        """A function from a decoded frame to the planes that an encoder takes, of `size` (width, height), cropped first, in `matrix`."""
        return PlanesConverter(self.display_size, self.orientation, size, crop, self.matrix)

    def frames(self) -> Iterator[Timed]:
        """Decoded frames from here to the end, in presentation order, checked against the limits as they come.

        Raises UnreadableMediaError at the damaged place, RefusedMediaError at the limit passed.
        """
        first, self._first = self._first, None
        if first is not None:
            yield first
        yield from self._frames

    def has_key_between(self, last: int, pts: int) -> bool:
        """Whether a seek to `pts` saves decoding: the index has a key frame after `last`. Matroska's is read at the first seek."""
        if not self._has_sought and self.container.format.name.startswith("matroska"):
            return pts > last
        entries = self.stream.index_entries
        place = entries.search_timestamp(pts, backward=True)
        return place >= 0 and entries[place].timestamp > last

    def seek(self, pts: int) -> None:
        """Makes `frames` go on from the key frame at or before `pts`. Frames then have the index -1.

        The decoder has seen the stream's first packet before, which some need: what an old x264 did in 4:4:4 is said in a
        message of that packet only, and a decoder that has not seen it shows damage.
        """
        import av

        try:
            self.container.seek(pts, stream=self.stream, backward=True)
        except av.error.FFmpegError as error:
            raise UnreadableMediaError(f"{self.name}: cannot seek to timestamp {pts}: {reason(error)}") from error
        self._has_sought = True
        self._first, self._frames = None, self._decode(is_start=False)

    def rewind(self) -> None:
        """Makes `frames` begin at the first frame again."""
        self.seek(self.start_pts)
        self._frames = self._decode(is_start=True)

    def _decode(self, is_start: bool) -> Iterator[Timed]:
        clock = _Clock(self.container, self.stream)
        for count, frame in enumerate(decode_packets(self.name, self.container, self.stream, self.limits)):
            pts = clock.next(frame)
            self.limits.check_frames(self.name, count + 1)
            self.limits.check_duration(self.name, float((pts - clock.first) * self.time_base))
            yield Timed(count if is_start else -1, pts, frame)


class _Clock:
    """Timestamps that always grow: FFmpeg's where they do, the next tick where they stand or step back."""

    def __init__(self, container: Any, stream: Any) -> None:
        # AVI has no presentation timestamps: what FFmpeg guesses runs back and forth, its decoding timestamps do not. They are late
        # by the frames that the decoder holds back, so the first frame's is taken from the index.
        self._use_dts = container.format.name == "avi"
        self._start = _first_key(stream) if self._use_dts else None
        self._jump = int(MAX_JUMP_BACK_S / stream.time_base)
        self._offset = 0
        self._last: int | None = None
        self.first = 0

    def next(self, frame: Any) -> int:
        stamp = frame.dts if self._use_dts else frame.pts
        step = max(1, frame.duration or 1)
        if self._last is None:
            if self._start is not None and stamp is not None and 0 < stamp - self._start <= MAX_HELD_FRAMES * step:
                self._offset = self._start - stamp
            self.first = self._last = (stamp or 0) + self._offset
            return self._last
        pts = self._last + step if stamp is None else stamp + self._offset
        if pts < self._last - self._jump:
            self._offset += self._last + step - pts
            pts = self._last + step
        self._last = max(pts, self._last + 1)
        return self._last


def _first_key(stream: Any) -> int | None:
    """Timestamp of the first key frame by the container's index; None where it has none."""
    return next((entry.timestamp for entry in stream.index_entries if entry.is_keyframe), None)


def choose_video_stream(name: str, container: Any, source: Path | bytes | None = None) -> Any:
    """The stream a player shows: the first marked default, else the first; covers and thumbnails are no video. Given the source too,
    the error of a container that holds nothing says what the file is."""
    from av.stream import Disposition

    stills = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [s for s in container.streams.video if not s.disposition & stills]
    if not len(container.streams):
        told = describe(source) if source is not None else ""
        raise UnreadableMediaError(f"{name}: holds no stream at all: {told or 'cut off or damaged'}")
    if not streams:
        raise NoVideoError(f"{name}: has no video stream ({len(container.streams)} streams of other kinds)")
    return next((s for s in streams if s.disposition & Disposition.default), streams[0])


@contextmanager
def open_video(
    source: Path | bytes, limits: MediaLimits | None = None, *, motion_vectors: bool = False
) -> Iterator[OpenVideo]:
    """The video opened at its first frame, its header and first frame within the limits.

    `motion_vectors` asks the decoder to attach them to frames (`frame.side_data`). Decoding is single-threaded: FFmpeg's thread
    pool hangs in forked workers, and a job has a process a core anyway.
    """
    limits = limits or MediaLimits()
    name = source_name(source)
    with open_container(source, limits) as container:
        stream = choose_video_stream(name, container, source)
        if stream.codec_context is None:
            raise UnreadableMediaError(f"{name}: no decoder for its video stream")
        _check_header(name, source, stream, limits)
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {
            "max_pixels": str(limits.max_pixels),
            **({"flags2": "+export_mvs"} if motion_vectors else {}),
        }
        video = OpenVideo(name, container, stream, limits)
        limits.check_size(name, *video.coded_size)
        limits.check_size(name, *video.display_size)
        yield video


def _check_header(name: str, source: Path | bytes, stream: Any, limits: MediaLimits) -> None:
    if stream.width and stream.height:
        limits.check_size(name, stream.width, stream.height)
    if stream.average_rate:
        limits.check_rate(name, stream.average_rate)
    if seconds := header_duration(stream):
        limits.check_duration(name, seconds)
    check_whole(name, source, stream)


def header_duration(stream: Any) -> float | None:
    """Seconds as the header says, or None where it does not."""
    if stream.duration and stream.duration > 0:
        return float(stream.duration * stream.time_base)
    duration = stream.container.duration
    return duration / 1e6 if duration and duration > 0 else None
