"""Slides: the new picture pushes the old one out. Between the two runs a seam, which a panning camera does not show.

Looked for where the picture changes strongly for some frames on end, first in the means of columns and rows, then in the whole picture.
"""

import numpy as np

from .pictures import likeness

RUN_CHANGES = (3.0, 4.0, 5.0, 6.3, 8.0, 10.0, 12.5, 16.0, 20.0, 25.0)
"""A run of frames that each change by more than one of these (0..255) may be a slide."""

RUN_FRAMES = (4, 48)
"""Least and most frames of such a run."""

MAX_PROFILE_ERROR = 0.3
"""Difference of a frame's profile from the two that slide, over the difference of the pictures' profiles."""

MAX_SLIDE_ERROR = 0.45
"""The same of whole pictures at the best place, over what pictures differ by."""

MIN_SEAM = 1.6
"""Difference of the pictures at the edges that meet, over the difference of neighbouring columns or rows beside them."""


def slides(pictures: np.ndarray, changes: np.ndarray) -> list[tuple[int, int]]:
    """(last frame of the old shot, first frame of the new one) of each slide; pictures (N, 36, 64, 3) uint8, `changes` (N,)."""
    runs = {run for least in RUN_CHANGES for run in _runs(changes > least)}
    found = []
    for start, end in sorted(runs, key=lambda run: run[0] - run[1]):
        if all(min(end, b) - max(start, a) <= 2 for a, b in found) and _is_slide(pictures[start : end + 1]):
            found.append((start, end))
    return sorted(found)


def _runs(strong: np.ndarray) -> list[tuple[int, int]]:
    """(frame before, last frame) of each run of true values of a fitting length that is whole: strong (N,) bool."""
    edges = np.flatnonzero(np.diff(np.r_[False, strong, False].astype(np.int8)))
    runs = zip(edges[::2], edges[1::2], strict=True)
    whole = [(int(a) - 1, int(b) - 1) for a, b in runs if a > 1 and b < len(strong)]
    return [(a, b) for a, b in whole if RUN_FRAMES[0] <= b - a <= RUN_FRAMES[1]]


def _is_slide(window: np.ndarray) -> bool:
    """Whether the first picture of a window (L, 36, 64, 3) is pushed out by the last."""
    window = window.astype(np.float32)
    if likeness(window[0], window[-1]) > 0.6:
        return False
    return any(_slides_back(turned[:, :, ::way]) for turned in (window, window.swapaxes(1, 2)) for way in (1, -1))


def _slides_back(window: np.ndarray) -> bool:
    """Whether the last picture comes in from the end of the columns and pushes the first one out over their start."""
    both = np.concatenate([window[0], window[-1]], axis=1)
    width = window.shape[2]
    profile = both.mean(axis=0)
    views = np.lib.stride_tricks.sliding_window_view(profile, width, axis=0).swapaxes(1, 2).reshape(width + 1, -1)
    inner = window[1:-1].mean(axis=1).reshape(len(window) - 2, -1)
    apart = np.abs(inner[:, None] - views[None]).mean(axis=2)
    offsets, errors = apart.argmin(axis=1), apart.min(axis=1)
    scale = float(np.abs(views[0] - views[-1]).mean()) + 2.0
    if np.median(errors) > MAX_PROFILE_ERROR * scale or not _is_steady(offsets, width):
        return False
    if _seam(both, width) < MIN_SEAM:
        return False
    middle = [i for i, offset in enumerate(offsets) if 0.15 * width < offset < 0.85 * width]
    whole = [float(np.abs(window[1 + i] - both[:, offsets[i] : offsets[i] + width]).mean()) for i in middle]
    return bool(np.median(whole) < MAX_SLIDE_ERROR * float(np.abs(window[0] - window[-1]).mean()))


def _is_steady(offsets: np.ndarray, width: int) -> bool:
    """Whether the pictures move on, from about one end to the other, without a jump."""
    steps = np.diff(np.r_[0, offsets, width])
    return bool(steps.min() >= -2 and steps.max() < 0.4 * width and np.ptp(offsets) > 0.3 * width)


def _seam(both: np.ndarray, width: int) -> float:
    """Difference of the columns that meet, over that of columns beside each other near them; both (H, 2 W, 3)."""
    steps = np.abs(np.diff(both[:, width - 8 : width + 8], axis=1)).mean(axis=(0, 2))
    return float(steps[7] / (np.delete(steps, 7).mean() + 1.0))
