"""Hard cuts: a change far above its neighbours', that no small movement of the picture explains and that lasts (a flash does not).

Cheap tests come first: the costly one, movement, is made of a few frames in a thousand.
"""

import cv2
import numpy as np

from .pictures import contrast, fine_structure, likeness, unexplained_change

AROUND = 6
"""Frames on either side of a hard cut that are looked at."""

MIN_CHANGE = 2.5
"""Mean change (0..255) below which nothing is a hard cut."""

SURE_CHANGE = 5.0
"""Mean change below which a cut must stand out more."""

MIN_FAINT_PEAK = 5.0
"""`MIN_PEAK` of changes below `SURE_CHANGE`."""

MIN_UNEXPLAINED = 6.5
"""Mean change that must be left when every piece of the picture may have moved by three pixels; less in pictures of low contrast."""

MIN_PEAK = 2.0
"""A hard cut's change over that of the frames beside it, and over the usual one of the frames around."""

MAX_LIKENESS = 0.82
"""Correlation of two pictures above which they show the same, unless their fine structures do not agree."""

MIN_FINE_LIKENESS = 0.3
"""Correlation of fine structures from which on they agree. A jump within a shot: 0.8; other places in like colours: 0.0."""

MIN_LASTING = 0.55
"""A hard cut's least change between any frame before and any after, in units of the change at the cut: what comes back is a flash."""


def hard_cuts(pictures: np.ndarray, changes: np.ndarray) -> list[int]:
    """First frame of each new shot; pictures (N, 36, 64, 3) uint8, `changes` (N,). Each depends on `AROUND` frames on either side."""
    beside = np.maximum(np.r_[0, changes[:-1]], np.r_[changes[1:], 0])
    peaks = (changes >= MIN_CHANGE) & (changes >= _least_peak(changes) * beside)
    return [int(frame) for frame in np.flatnonzero(peaks) if frame > 0 and _is_cut(pictures, changes, int(frame))]


def _least_peak(change: np.ndarray | float) -> np.ndarray:
    return np.where(change < SURE_CHANGE, MIN_FAINT_PEAK, MIN_PEAK)


def _is_cut(pictures: np.ndarray, changes: np.ndarray, frame: int) -> bool:
    """Whether the peak of change at `frame` is a cut."""
    first, change = max(0, frame - AROUND), changes[frame]
    around = changes[max(1, first) : frame], changes[frame + 1 : frame + AROUND + 1]
    if change < _least_peak(change) * max(float(np.median(side)) if len(side) else 0.0 for side in around):
        return False
    old, new = pictures[frame - 1], pictures[frame]
    if likeness(old, new) > MAX_LIKENESS and likeness(fine_structure(old), fine_structure(new)) > MIN_FINE_LIKENESS:
        return False
    apart = [cv2.norm(a, b, cv2.NORM_L1) for a in pictures[first:frame] for b in pictures[frame : frame + AROUND]]
    if min(apart) / new.size < MIN_LASTING * change:
        return False
    return unexplained_change(old, new) >= MIN_UNEXPLAINED * contrast(old, new)
