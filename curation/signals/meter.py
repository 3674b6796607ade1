"""The one decoding pass measured: frames go in one after another, rows of the `signals` table come out."""

from fractions import Fraction

import cv2
import numpy as np

from curation.signals.borders import border_box, displayed_border
from curation.signals.flow import FLOW_COLUMNS, FlowMeter, GridFlow, flow_columns
from curation.signals.planes import Planes, luma_level
from curation.signals.table import SIGNAL_COLUMNS, signal_rows
from curation.signals.vectors import FrameVectors, frame_vectors, vector_lengths
from moviegen.media.display import Orientation

_VMAF_KERNEL = np.array([1785, 8002, 13193, 8002, 1785], np.float32) / 32768
"""The 5-tap blur of VMAF's motion feature in the whole numbers of ffmpeg's vf_vmafmotion.c."""

_FIXED_POINT = 128
"""Blurred luma is kept in 1/128 of a level, in 16 bits: twice as fast as floats, off by less than 1e-4 of a level."""

BLACK_LUMA = 32
"""Luma (video range) below which a pixel is black: ffmpeg's blackframe."""

FLASH_FRAMES = 3
"""Frames at most that a flash lasts."""


class SignalMeter:
    """Measures frames one after another, from number `start_frame` on. `orientation` is their turn for display, `sample_aspect` the
    pixels' shape."""

    def __init__(
        self, time_base: Fraction, orientation: Orientation, sample_aspect: Fraction, fps: float, start_frame: int = 0
    ) -> None:
        self._time_base = time_base
        self._orientation = orientation
        self._sample_aspect = float(sample_aspect)
        self._blurred: np.ndarray | None = None
        self._spare: np.ndarray | None = None
        """The picture before that, whose memory the next one takes."""
        self._before: np.ndarray | None = None
        self._flow = FlowMeter(fps, start_frame)
        self._small_px = 1.0
        self._flows: list[GridFlow | None] = []
        self._vectors: list[FrameVectors] = []
        self._columns: dict[str, list[float]] = {name: [] for name in _MEASURED}

    def add(self, frame, planes: Planes, pts: int, cut_score: float) -> None:
        """Measures one `av.VideoFrame` and its planes, shown at timestamp `pts`, whose content changed by `cut_score`."""
        luma = planes.luma
        blurred, small = blur_luma(luma, self._spare), planes.small
        values = (
            pts,
            float(pts * self._time_base),
            cut_score,
            difference(self._before, luma),
            motion(self._blurred, blurred),
            luma_level(small),
            np.count_nonzero(small < BLACK_LUMA) / small.size,
            *displayed_border(border_box(luma), self._orientation, self._sample_aspect),
        )
        # the decoder's own buffer is kept, not a copy: the frame stays alive as long as the view does
        self._spare, self._blurred, self._before = self._blurred, blurred, luma
        self._vectors.append(frame_vectors(frame))
        self._flows.append(self._flow.add(small))
        self._small_px = float(np.hypot(*small.shape))
        for column, value in zip(self._columns.values(), values, strict=True):
            column.append(value)

    def columns(self) -> dict[str, list[float]]:
        """One list a column of the `signals` table; `motion_vector` is empty where the codec gave no vector at all."""
        measured = self._columns
        luma = np.array(measured["luma"], np.float32)
        pts_s = np.array(measured["pts_s"])
        flow = flow_columns(self._flows, self._flow.places, pts_s, self._small_px)
        derived = {
            "scene_score": scene_scores(np.array(measured["difference"])).tolist(),
            "flash": flashes(luma).tolist(),
            "motion_vector": vector_lengths(self._vectors),
            **{name: values.tolist() for name, values in self._displayed(flow).items()},
        }
        return {name: (measured | derived)[name] for name in SIGNAL_COLUMNS}

    def _displayed(self, flow: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The camera's path as the viewer sees it: turned and mirrored as the picture is."""
        x, y, turn = flow["camera_x"], flow["camera_y"], self._orientation
        if turn.transpose:
            x, y = y, x
        x, y = (-x if turn.flip_x else x), (-y if turn.flip_y else y)
        roll = -flow["camera_roll"] if turn.is_mirrored else flow["camera_roll"]
        return flow | {"camera_x": x, "camera_y": y, "camera_roll": roll}

    def rows(self, video_id: str) -> list[dict]:
        """Rows of the `signals` table."""
        return signal_rows(video_id, self.columns())


_MEASURED = tuple(
    name for name in SIGNAL_COLUMNS if name not in {"scene_score", "flash", "motion_vector", *FLOW_COLUMNS}
)


def blur_luma(luma: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """(H, W) int16, blurred luma in 1/128 of a level: the picture that VMAF's motion feature compares; into `out` where it fits."""
    kernel = _VMAF_KERNEL * np.float32(_FIXED_POINT**0.5)
    # new memory of this size comes as untouched pages, which cost as much as the blur
    blurred = cv2.sepFilter2D(
        luma, cv2.CV_16S, kernel, kernel, dst=out if out is not None and out.shape == luma.shape else None
    )
    # ffmpeg mirrors about the first pixel at the top and left as OpenCV does, but about the edge after the last at the bottom and
    # right: the last two lines are made again, which is cheaper than to enlarge the picture
    bottom = cv2.copyMakeBorder(luma[-6:], 0, 2, 0, 0, cv2.BORDER_REFLECT)
    blurred[-2:] = cv2.sepFilter2D(bottom, cv2.CV_16S, kernel, kernel)[-4:-2]
    right = cv2.copyMakeBorder(np.ascontiguousarray(luma[:, -6:].T), 0, 2, 0, 2, cv2.BORDER_REFLECT)
    blurred[:, -2:] = cv2.sepFilter2D(right, cv2.CV_16S, kernel, kernel)[-4:-2, :-2].T
    return blurred


def motion(before: np.ndarray | None, after: np.ndarray) -> float:
    """VMAF motion: mean absolute difference of two blurred pictures, in 8-bit luma levels.

    0 for the first frame and where the picture changes its size. Equals ffmpeg's `vmafmotion` within its two printed decimals.
    """
    if before is None or before.shape != after.shape:
        return 0.0
    return cv2.norm(before, after, cv2.NORM_L1) / (after.size * _FIXED_POINT)


def difference(before: np.ndarray | None, after: np.ndarray) -> float:
    """Mean absolute difference of two luma planes, 0..255; 0 for the first frame and where the picture changes its size."""
    if before is None or before.shape != after.shape:
        return 0.0
    return cv2.norm(before, after, cv2.NORM_L1) / after.size


def scene_scores(differences: np.ndarray) -> np.ndarray:
    """ffmpeg's scene score of each frame, 0..1, from the mean absolute differences (0..255) of all frames in order.

    The smaller of the difference and its step from the frame before, in hundreds of levels; 0 for the first frame.
    """
    steps = np.abs(np.diff(differences, prepend=0.0))
    return np.clip(np.minimum(differences, steps) / 100, 0, 1)


def flashes(luma: np.ndarray) -> np.ndarray:
    """How far the mean luma of each frame rises above the frames on both sides, 0..255: light that comes and goes within
    `FLASH_FRAMES` frames. Our decision; a lamp switched on is no flash, nor is a cut to a bright shot."""
    height = np.zeros(len(luma), np.float32)
    padded = np.pad(luma, FLASH_FRAMES, mode="edge") if len(luma) else luma
    here = np.arange(len(luma)) + FLASH_FRAMES
    for back in range(1, FLASH_FRAMES + 1):
        before = np.min([padded[here - step] for step in range(1, back + 1)], axis=0)
        after = np.min([padded[here + step] for step in range(1, FLASH_FRAMES + 2 - back)], axis=0)
        height = np.maximum(height, luma - np.maximum(before, after))
    return height
