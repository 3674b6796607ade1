"""The one pass over a video: every frame decoded once, its signals measured, its cuts found."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np

from curation.shots import Cut, CutConfig, CutFinder, picture_maker
from curation.signals.meter import SignalMeter
from curation.signals.planes import ContentScore, Planes, frame_planes
from moviegen.media.container import OpenVideo, Timed


@dataclass(frozen=True)
class Measured:
    """What one pass over a video gives."""

    pts: list[int]
    """Timestamps of all frames in order."""
    end_pts: int
    """The timestamp after the last frame."""
    columns: dict[str, list[float]]
    """One list a column of the `signals` table."""
    cuts: list[Cut]


class Finder(Protocol):
    """Looks for cuts in the small pictures of frames."""

    def add(self, picture: np.ndarray, score: float) -> None:
        """The next frame, (H, W, 3) uint8 BGR, and its content score."""


class FramePass:
    """Takes the frames of an opened video one after another; `start_frame` is the first one's number in the video."""

    def __init__(
        self, video: OpenVideo, config: CutConfig, fps: Fraction, finder: Finder, start_frame: int = 0
    ) -> None:
        self._finder = finder
        self._fps = fps
        self._time_base = video.time_base
        self._picture = picture_maker(config)
        self._content = ContentScore()
        self._duration = 0
        self.meter = SignalMeter(video.time_base, video.orientation, video.sample_aspect, float(fps), start_frame)
        self.pts: list[int] = []

    def add(self, timed: Timed) -> Planes:
        """Measures a frame; its planes."""
        planes = frame_planes(timed.frame)
        picture = self._picture(timed.frame, planes)
        score = self._content.add(picture)
        self._finder.add(picture, score)
        self.meter.add(timed.frame, planes, timed.pts, score)
        self.pts.append(timed.pts)
        self._duration = timed.frame.duration or 0
        return planes

    @property
    def end_pts(self) -> int:
        """The timestamp after the last frame."""
        return self.pts[-1] + (self._duration or max(1, round(1 / (self._fps * self._time_base))))


def measure(video: OpenVideo, config: CutConfig, fps: Fraction) -> Measured:
    """Every frame of an opened video, measured. Raises MediaError when it cannot be read to its end."""
    finder = CutFinder(config, fps)
    frames = FramePass(video, config, fps, finder)
    for timed in video.frames():
        frames.add(timed)
    return Measured(frames.pts, frames.end_pts, frames.meter.columns(), finder.cuts())
