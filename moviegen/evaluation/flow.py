"""How fast the picture moves, by optical flow: OpenCV's DIS on small luma, in diagonals a second: size and frame rate do not matter.

Beside VMAF's motion, which sees that pixels change, this sees where they go: flicker is no motion, and a fast pan over smooth ground is.
`T` frames, `H W` rows and columns.
"""

import itertools
from importlib.util import find_spec

import numpy as np

SIDE_PX = 256
"""Longer side of the luma that flow is sought in; a smaller picture stays as it is."""

LEAST_PX = 16
"""Shorter side of it, below which there is nothing to seek in."""

FASTEST_SHARE = 0.05
"""Of the picture: VBench's dynamic degree looks at the fastest twentieth (Vchitect/VBench)."""


def lack() -> str:
    """What is missing to measure it; empty when nothing is."""
    return "" if find_spec("cv2") else "needs OpenCV: pip install opencv-python-headless"


def flow_speeds(frames: np.ndarray, times: np.ndarray) -> tuple[float, float] | None:
    """(mean over the picture, mean over its fastest twentieth) in diagonals a second, of frames shown at `times` (T,).

    None of a single frame, of one too narrow, or where all are shown at once.
    """
    if len(frames) < 2 or times[-1] <= times[0]:
        return None
    lumas = [_small_luma(frame) for frame in frames]
    if min(lumas[0].shape) < LEAST_PX:
        return None
    lengths = np.array([_speeds(a, b) for a, b in itertools.pairwise(lumas)])
    a_second = (len(frames) - 1) / float(times[-1] - times[0]) / float(np.hypot(*lumas[0].shape))
    whole, fastest = lengths.mean(0) * a_second
    return float(whole), float(fastest)


def _small_luma(frame: np.ndarray) -> np.ndarray:
    import cv2

    luma = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
    scale = SIDE_PX / max(luma.shape)
    return cv2.resize(luma, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else luma


def _speeds(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Mean length of the flow, and of its fastest twentieth, in pixels."""
    import cv2

    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    length = np.hypot(*np.moveaxis(dis.calc(before, after, None), 2, 0)).reshape(-1)
    kept = max(1, round(FASTEST_SHARE * length.size))
    return float(length.mean()), float(np.partition(length, -kept)[-kept:].mean())
