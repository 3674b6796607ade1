"""A film of any length, decoded in the guarded worker, some frames at a time; what must be known of it beforehand.

`T` frames, `H W` rows and columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from .limits import DecodeCrashError, MediaLimits, UnreadableMediaError
from .read import Frame, iter_frames

CHUNK_BYTES = 32 << 20
"""Pixels that come from the worker at once (our decision)."""

SURVEY_TIMEOUT_S = 3600.0
"""Wall-clock seconds for the pass that counts frames: two hours of film are two hours of decoding at worst."""

CLOCK_S = 1e-3
"""Seconds by which frames of a constant rate may be off: Matroska's clock counts milliseconds."""


@dataclass(frozen=True)
class Survey:
    """A film, counted: headers lie, and who makes as many frames as came in must know how many will."""

    num_frames: int
    width: int
    """Pixels as displayed."""
    height: int
    fps: Fraction
    """Frames a second, on average where they vary."""
    start_s: float
    """Time of the first frame on the file's clock: where its sound is taken from."""
    times_s: np.ndarray = field(repr=False)
    """(T,) float64 seconds from the first frame at which each is shown."""
    has_audio: bool = False

    @property
    def duration(self) -> Fraction:
        """Seconds, exact: frames over frames a second."""
        return self.num_frames / self.fps


def survey_film(path: Path) -> Survey:
    """`survey` in the guarded worker."""
    from .worker import guarded_call

    return guarded_call(survey, Path(path), timeout_s=SURVEY_TIMEOUT_S)


def first_picture_s(path: Path) -> float:
    """Time of a film's first frame on its clock, by the guarded worker."""
    from .probe import probe
    from .worker import guarded_call

    found = guarded_call(probe, Path(path))
    return float(found.start_pts * found.time_base)


def survey(path: Path, limits: MediaLimits | None = None) -> Survey:
    """What the file holds, every frame decoded. Raises a MediaError when it cannot be read to its end."""
    from .container import open_video
    from .probe import probe

    found, stamps = probe(path, limits), []
    with open_video(path, limits) as video:
        stamps = [timed.pts for timed in video.frames()]
    if not stamps:
        raise UnreadableMediaError(f"{path}: has no frame")
    times = (np.array(stamps, np.int64) - stamps[0]) * float(found.time_base)
    fps = _rate(found.fps, times)
    even = np.array([float(number / fps) for number in range(len(times))])
    if np.abs(times - even).max() <= CLOCK_S:
        times = even
    return Survey(
        len(stamps), found.width, found.height, fps, float(stamps[0] * found.time_base), times,
        found.has_audio,
    )  # fmt: skip


def _rate(header: Fraction, times: np.ndarray) -> Fraction:
    """The header's rate where the frames keep to it to within one of them; what they make on average where not."""
    last = len(times) - 1
    if last < 1 or abs(times[-1] - float(last / header)) < float(1 / header):
        return header
    return Fraction(last / times[-1]).limit_denominator(1001)


def iter_chunks(
    path: Path, survey: Survey, size: tuple[int, int] | None = None, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[np.ndarray]:
    """Every frame in order, (T, H, W, 3) uint8 at a time, decoded in the guarded worker; `size` as `iter_frames` has it."""
    from .worker import guarded_call

    width, height = size or (survey.width, survey.height)
    count, pts, done = max(1, chunk_bytes // (3 * width * height)), None, 0
    while done < survey.num_frames:
        images, pts = guarded_call(read_chunk, Path(path), pts, min(count, survey.num_frames - done), size)
        if not len(images) or (pts is None and done + len(images) < survey.num_frames):
            raise DecodeCrashError(f"{path}: {done + len(images)} frames came, {survey.num_frames} were counted")
        yield images
        done += len(images)


_open: dict[str, tuple[object, int | None, Frame, Iterator[Frame]]] = {}
"""In the worker: the one film that is being read, and the frame at which it goes on."""


def read_chunk(path: Path, pts: int | None, count: int, size: tuple[int, int] | None) -> tuple[np.ndarray, int | None]:
    """`count` frames from timestamp `pts` on (None: the first), and the timestamp of the next, None after the last.

    The film stays open between calls, so that a worker seeks only when it is a new one.
    """
    frame, frames = _frames_at(path, pts, size)
    images: list[np.ndarray] = []
    while frame is not None and len(images) < count:
        images.append(frame.image)
        frame = next(frames, None)
    if frame is not None:
        _open["film"] = ((path, size), frame.pts, frame, frames)
    return np.stack(images) if images else np.empty((0, 0, 0, 3), np.uint8), None if frame is None else frame.pts


def _frames_at(path: Path, pts: int | None, size: tuple[int, int] | None) -> tuple[Frame | None, Iterator[Frame]]:
    key, at, frame, frames = _open.pop("film", (None, None, None, iter(())))
    if pts is None or key != (path, size) or at != pts:
        frames = iter_frames(path, start_pts=pts, size=size)
        frame = next(frames, None)
    return frame, frames  # type: ignore[return-value]
