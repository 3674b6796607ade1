"""A file's frames with the times at which they are shown; a still is a clip of one frame. `T` frames, `H W` rows and columns."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from moviegen.evaluation.files import kind_of
from moviegen.media.limits import UnreadableMediaError


@dataclass(frozen=True)
class Clip:
    """What is seen of a file."""

    frames: np.ndarray = field(repr=False)
    """(T, H, W, 3) uint8 RGB, as displayed."""
    times: np.ndarray = field(repr=False)
    """(T,) seconds, on the clock of the file's sound."""


def read_clip(path: Path, size: tuple[int, int] | None = None) -> Clip:
    """All frames of a video or a still. Raises a MediaError. Runs in the guarded worker."""
    from moviegen.media.read import open_video, read_image

    if kind_of(path) == "image":
        return Clip(read_image(path, size=size)[None], np.zeros(1))
    with open_video(path) as video:
        convert, base = video.converter(size), video.time_base
        shown = [(convert(timed.frame), float(timed.pts * base)) for timed in video.frames()]
    if len({image.shape for image, _ in shown}) > 1:
        raise UnreadableMediaError(f"{path}: its frames change their size on the way")
    return Clip(np.stack([image for image, _ in shown]), np.array([time for _, time in shown]))


def read_frames(path: Path, count: int, side_px: int) -> np.ndarray:
    """(count, side, side, 3) uint8: frames spread evenly from first to last, stretched to a square as FVD's usual preprocessing does;
    of a shorter clip some twice. Runs in the guarded worker."""
    from moviegen.media.read import read_image, read_video

    frames = read_image(path)[None] if kind_of(path) == "image" else read_video(path)
    return np.stack([stretched(frame, side_px) for frame in evenly(frames, count)])


def evenly(frames: np.ndarray, count: int) -> np.ndarray:
    """(count, ...) frames spread evenly from first to last; of a shorter clip some twice."""
    return frames[np.linspace(0, len(frames) - 1, count).round().astype(int)]


def read_evenly(path: Path, count: int, may_repeat: bool) -> np.ndarray:
    """(count, H, W, 3) uint8 as displayed, spread evenly; of a shorter clip fewer, or some twice. Runs in the guarded worker."""
    frames = read_clip(path).frames
    return evenly(frames, count if may_repeat else min(count, len(frames)))


def stretched(image: np.ndarray, side_px: int) -> np.ndarray:
    """(side, side, 3) uint8 of (H, W, 3): bilinear, with means where it shrinks."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((side_px, side_px), Image.Resampling.BILINEAR))


def has_picture(path: Path) -> bool:
    """By its name: is it more than sound?"""
    return kind_of(path) != "sound"


def read_squares(path: Path, count: int, side_px: int) -> np.ndarray:
    """(count, side, side, 3) uint8: frames spread evenly, of each the largest square in its middle. Runs in the guarded worker."""
    frames = read_clip(path).frames
    side = min(frames.shape[1:3])
    top, left = (frames.shape[1] - side) // 2, (frames.shape[2] - side) // 2
    squares = evenly(frames, min(count, len(frames)))[:, top : top + side, left : left + side]
    return np.stack([stretched(square, side_px) for square in squares])
