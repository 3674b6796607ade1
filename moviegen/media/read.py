"""Frames as a viewer sees them: all in order, some by timestamp, a small clip at once; stills. Sound is in audio.py.

`T` frames, `H W` rows and columns. A `size` is (width, height) in px: the frame is scaled to cover it and cropped to its middle.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from .audio import read_audio
from .container import OpenVideo, Timed, open_video
from .display import FrameConverter
from .limits import IMAGE_FORMATS, MediaError, MediaLimits, UnreadableMediaError

__all__ = [
    "Frame",
    "OpenVideo",
    "iter_frames",
    "iter_planes",
    "open_video",
    "read_audio",
    "read_frames_at",
    "read_image",
    "read_video",
]


@dataclass(frozen=True)
class Frame:
    """One frame as displayed."""

    index: int
    """Place in presentation order from the file's first frame; -1 where the frame was reached by a seek."""
    pts: int
    """Presentation timestamp on the stream's time base; in one file they grow from frame to frame."""
    image: np.ndarray
    """(H, W, 3) uint8, RGB; planes where they were asked for."""


def iter_frames(
    path: Path | str,
    *,
    start_pts: int | None = None,
    end_pts: int | None = None,
    size: tuple[int, int] | None = None,
    limits: MediaLimits | None = None,
) -> Iterator[Frame]:
    """Frames with timestamps in `[start_pts, end_pts)`, in order.

    With `start_pts` decoding begins at the key frame before it where the container has an index, else at the file's beginning; the
    frames are the same. Raises a MediaError when the file cannot be opened, or, after the frames before it, at the damaged place.
    """
    with open_video(Path(path), limits) as video:
        convert = video.converter(size)
        for timed in _span(video, start_pts, end_pts):
            yield Frame(timed.index, timed.pts, convert(timed.frame))


def iter_planes(
    video: OpenVideo,
    *,
    start_pts: int,
    end_pts: int,
    size: tuple[int, int],
    crop: Callable[[int, int], tuple[slice, slice]] | None = None,
) -> Iterator[Frame]:
    """Frames as `iter_frames` gives them, their `image` the planes that `encode_clip` takes with `video.matrix`: (H * 3 / 2, W) uint8, see
    `PlanesConverter`.

    `size` is (width, height), both even; what is kept is stretched to it. `crop` gives the rows and columns to keep of the picture as
    displayed, by its (height, width).
    """
    width, height = video.display_size
    convert = video.planes_converter(size, crop(height, width) if crop else None)
    for timed in _span(video, start_pts, end_pts):
        yield Frame(timed.index, timed.pts, convert(timed.frame))


def _span(video: OpenVideo, start_pts: int | None, end_pts: int | None) -> Iterator[Timed]:
    """Frames with timestamps in `[start_pts, end_pts)`."""
    for timed in _frames_from(video, start_pts):
        if end_pts is not None and timed.pts >= end_pts:
            return
        if start_pts is None or timed.pts >= start_pts:
            yield timed


def _frames_from(video: OpenVideo, start_pts: int | None) -> Iterator[Timed]:
    """Frames from `start_pts` or before. A seek that comes out after it, or in damage, is undone."""
    if start_pts is None or not video.is_seekable or not video.has_key_between(video.start_pts, start_pts):
        return video.frames()
    video.seek(start_pts)
    frames = video.frames()
    try:
        first = next(frames, None)
    except MediaError:
        first = None
    if first is not None and first.pts <= start_pts:
        return chain([first], frames)
    video.rewind()
    return video.frames()


def read_frames_at(
    path: Path | str,
    pts: Sequence[int],
    *,
    size: tuple[int, int] | None = None,
    limits: MediaLimits | None = None,
    shape: Callable[[np.ndarray], np.ndarray] | None = None,
) -> list[Frame]:
    """The frames with these timestamps, in the order asked for.

    `shape` is applied to each image as soon as it is there: many small ones need no room for large ones. By seeking where the container
    has an index; in order from the beginning where it has none, or where a seek does not come out at the frame asked for. Raises
    UnreadableMediaError naming the timestamps that no frame has.
    """
    wanted = sorted(set(map(int, pts)))
    if not wanted:
        return []
    found: dict[int, Frame] = {}
    with open_video(Path(path), limits) as video:
        if video.is_seekable:
            found = _seek_frames(video, wanted, _shaped(video.converter(size), shape))
    if len(found) < len(wanted):
        found = _scan_frames(Path(path), set(wanted), size, limits, shape)
    if missing := [stamp for stamp in wanted if stamp not in found]:
        raise UnreadableMediaError(f"{path}: has no frame at timestamp {_few(missing)}")
    return [found[int(stamp)] for stamp in pts]


Convert = Callable[[Any], np.ndarray]
"""Decoded frame -> image."""


def _shaped(convert: FrameConverter, shape: Callable[[np.ndarray], np.ndarray] | None) -> Convert:
    return convert if shape is None else lambda frame: shape(convert(frame))


def _seek_frames(video: OpenVideo, wanted: list[int], convert: Convert) -> dict[int, Frame]:
    """What seeking finds of the sorted timestamps; a later key frame is sought only when it lies before the next one."""
    found: dict[int, Frame] = {}
    frames, last = video.frames(), video.start_pts - 1
    try:
        for stamp in wanted:
            if video.has_key_between(last, stamp):
                video.seek(stamp)
                frames = video.frames()
            for timed in frames:
                last = timed.pts
                if timed.pts >= stamp:
                    break
            else:
                return found
            if timed.pts != stamp:
                return found
            found[stamp] = Frame(timed.index, stamp, convert(timed.frame))
    except MediaError:
        return found
    return found


def _scan_frames(
    path: Path,
    wanted: set[int],
    size: tuple[int, int] | None,
    limits: MediaLimits | None,
    shape: Callable[[np.ndarray], np.ndarray] | None,
) -> dict[int, Frame]:
    found: dict[int, Frame] = {}
    with open_video(path, limits) as video:
        convert = _shaped(video.converter(size), shape)
        for timed in video.frames():
            if timed.pts in wanted:
                found[timed.pts] = Frame(timed.index, timed.pts, convert(timed.frame))
            if len(found) == len(wanted):
                break
    return found


def read_video(
    source: Path | bytes,
    *,
    indices: Sequence[int] | None = None,
    size: tuple[int, int] | None = None,
    limits: MediaLimits | None = None,
) -> np.ndarray:
    """(T, H, W, 3) uint8: the frames at `indices` (presentation order, repeats allowed), or all. For clips that fit in memory.

    `source` is a path or a file's bytes. Raises UnreadableMediaError naming the first index that the video does not have.
    """
    wanted = None if indices is None else set(map(int, indices))
    images: dict[int, np.ndarray] = {}
    num_frames = 0
    with open_video(source, limits) as video:
        convert = video.converter(size)
        for timed in video.frames():
            num_frames += 1
            if wanted is None or timed.index in wanted:
                images[timed.index] = convert(timed.frame)
            if wanted is not None and len(images) == len(wanted):
                break
        order = range(num_frames) if indices is None else [int(i) for i in indices]
        if missing := [index for index in order if index not in images]:
            raise UnreadableMediaError(f"{video.name}: has {num_frames} frames, no frame {_few(missing)}")
    return np.stack([images[index] for index in order])


def read_image(
    source: Path | bytes, *, size: tuple[int, int] | None = None, limits: MediaLimits | None = None
) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a png, jpeg, webp or bmp file or of its bytes; transparency is dropped."""
    content = source if isinstance(source, bytes) else _content(Path(source))
    with open_video(content, limits or MediaLimits(formats=IMAGE_FORMATS)) as video:
        return video.converter(size)(next(video.frames()).frame)


def _content(path: Path) -> bytes:
    """A still's bytes: opened by name, `%d` in it would mean a sequence of files."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableMediaError(f"{path}: cannot be opened: {error.strerror}") from error


def _few(values: Sequence[int]) -> str:
    text = ", ".join(map(str, values[:5]))
    return text if len(values) <= 5 else f"{text} and {len(values) - 5} more"
