"""What the measurements look at: the planes of a frame, small pictures of them, and the content score of PySceneDetect.

No frame is turned into RGB at full size: small pictures are made from the planes, which costs a tenth. H W are rows and columns.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

_LIMITED_BLACK, _LIMITED_SPAN = 16, 219
"""Luma of black and the distance to white in the video range."""

SMALL_PX = 80
"""Longer side that the small luma has at least, and less than twice of it, when the frame is larger."""


@dataclass(frozen=True)
class Planes:
    """The planes of a frame in the video range (black 16), 4:2:0."""

    luma: np.ndarray
    """(H, W) uint8."""
    blue: np.ndarray
    """(ceil(H / 2), ceil(W / 2)) uint8, 128 is no colour."""
    red: np.ndarray
    """(ceil(H / 2), ceil(W / 2)) uint8."""

    @cached_property
    def half(self) -> np.ndarray:
        """Luma halved once, where `small` is smaller still: the first step to both small pictures."""
        return halved(self.luma, max(SMALL_PX, max(self.luma.shape) // 4 + 1))

    @cached_property
    def small(self) -> np.ndarray:
        """Luma with a longer side of `SMALL_PX` to twice of it."""
        return halved(self.half, SMALL_PX)


def frame_planes(frame) -> Planes:
    """The planes of an `av.VideoFrame`, whatever its pixel format: what ffmpeg's filters see as yuv420p. Views where they can be."""
    from av.video.reformatter import ColorRange

    if frame.format.name != "yuv420p" or frame.color_range == ColorRange.JPEG:
        frame = frame.reformat(format="yuv420p", dst_color_range=ColorRange.MPEG, threads=1)
    return Planes(*(_view(plane) for plane in frame.planes))


def _view(plane) -> np.ndarray:
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]


def luma_plane(frame) -> np.ndarray:
    """(H, W) uint8 luma of a frame in the video range (black 16)."""
    return frame_planes(frame).luma


def luma_level(luma: np.ndarray) -> float:
    """Mean luma as a viewer sees it: 0 black, 255 white."""
    return min(255.0, max(0.0, (float(cv2.mean(luma)[0]) - _LIMITED_BLACK) * 255 / _LIMITED_SPAN))


def halved(plane: np.ndarray, at_least_px: int) -> np.ndarray:
    """A plane halved as often as its longer side stays at `at_least_px` or more; each pixel is the mean of those it stands for."""
    while max(plane.shape) >= 2 * at_least_px and min(plane.shape) >= 4:
        height, width = plane.shape
        plane = cv2.resize(plane[: height & ~1, : width & ~1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return plane


def small_picture(planes: Planes, width: int, height: int) -> np.ndarray:
    """(height, width, 3) uint8 BGR, each pixel read between the nearest four, as PySceneDetect scales frames down; luma is halved first
    where that leaves enough of it."""
    even = (width + 1) // 2 * 2, (height + 1) // 2 * 2
    stacked = np.empty((even[1] * 3 // 2, even[0]), np.uint8)
    half = even[0] // 2, even[1] // 2
    luma = planes.half if planes.half.shape[0] >= even[1] and planes.half.shape[1] >= even[0] else planes.luma
    cv2.resize(luma, even, dst=stacked[: even[1]], interpolation=cv2.INTER_LINEAR)
    chroma = stacked[even[1] :].reshape(2, half[1], half[0])
    for plane, out in zip((planes.blue, planes.red), chroma, strict=True):
        cv2.resize(plane, half, dst=out, interpolation=cv2.INTER_LINEAR)
    return cv2.cvtColor(stacked, cv2.COLOR_YUV2BGR_I420)[:height, :width]


class ContentScore:
    """PySceneDetect's content score of pictures given one after another: mean change of hue, saturation and value, 0..255."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None

    def add(self, picture: np.ndarray) -> float:
        """Of the next picture, (H, W, 3) uint8 BGR; 0 for the first and where the size changes."""
        hsv = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)
        before, self._before = self._before, hsv
        if before is None or before.shape != hsv.shape:
            return 0.0
        return cv2.norm(hsv, before, cv2.NORM_L1) / hsv.size
