"""How a background moves: shift and zoom from frame to frame, by least squares on brightness. Letters: T frames, H rows, W columns."""

import numpy as np

from .raster import sample

STEPS = 8
"""Rounds of Gauss and Newton a pair of frames."""


def camera_path(frames: np.ndarray, hidden: np.ndarray) -> tuple[tuple[float, float], float]:
    """((x, y), zoom): what the background of (T, H, W, 3) frames moves by over all of them, short sides to the right and down, and the
    logarithm of its magnification. `hidden` (T, H, W) bool are pixels that are none of it."""
    grey = frames.astype(np.float64).mean(-1)
    total = np.zeros(3)
    for before, after, out in zip(grey, grey[1:], hidden[:-1] | hidden[1:], strict=False):
        total += _between(before, after, ~out)
    short = min(grey.shape[1:])
    return (float(total[0] / short), float(total[1] / short)), float(total[2])


def _between(before: np.ndarray, after: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(shift right, shift down, log zoom) px of `after` against `before`, over the pixels that are seen in both."""
    height, width = before.shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    cx, cy = (width - 1) / 2, (height - 1) / 2
    gy, gx = np.gradient(before)
    inner = seen.copy()
    inner[[0, -1]], inner[:, [0, -1]] = False, False
    slopes = np.stack([gx, gy, gx * (x - cx) + gy * (y - cy)], -1)[inner]
    if len(slopes) < 16:
        return np.zeros(3)
    motion = np.zeros(3)
    normal = slopes.T @ slopes + 1e-6 * np.eye(3)
    for _ in range(STEPS):
        grown = np.exp(motion[2])
        moved = sample(after, cy + (y - cy) * grown + motion[1], cx + (x - cx) * grown + motion[0])
        motion -= np.linalg.solve(normal, slopes.T @ (moved - before)[inner])
    return motion
