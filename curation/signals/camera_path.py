"""The camera's path over a clip, from its columns of the signals: which frames were looked at, what is intended, what trembles.

Speeds are in diagonals a second; N frames that were looked at.
"""

import numpy as np

STEADY_S = 0.5
"""Seconds over which an intended move keeps its speed; what is faster is trembling. Our decision."""


def seen_frames(signals: dict[str, np.ndarray]) -> np.ndarray:
    """Places of a clip's frames whose flow was looked at; not the first, whose flow is that from the frame before the clip."""
    return np.flatnonzero(np.isfinite(signals["flow"][1:])) + 1


def shake_of(x: np.ndarray, y: np.ndarray, pts_s: np.ndarray) -> float:
    """How much a camera trembles: mean speed, diagonals a second, that it does not keep for `STEADY_S`."""
    return float(np.mean(_trembling(x, y, pts_s)))


def usual_shake(x: np.ndarray, y: np.ndarray, pts_s: np.ndarray) -> float:
    """The median in place of the mean: a hand trembles all the time, a tripod seems to when something big passes."""
    return float(np.median(_trembling(x, y, pts_s)))


def _trembling(x: np.ndarray, y: np.ndarray, pts_s: np.ndarray) -> np.ndarray:
    return np.hypot(x - smooth(x, pts_s), y - smooth(y, pts_s))


def smooth(values: np.ndarray, pts_s: np.ndarray) -> np.ndarray:
    """Running mean (N,) of values at times `pts_s` (N,) over `STEADY_S` seconds: the part of a move that is kept."""
    from scipy.ndimage import uniform_filter1d

    step = float(np.median(np.diff(pts_s))) if len(pts_s) > 1 else STEADY_S
    return uniform_filter1d(values, max(1, round(STEADY_S / max(step, 1e-3))), mode="nearest")
