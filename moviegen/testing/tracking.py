"""Finds the coloured thing in each frame of a small video. Letters: T frames, H rows, W columns."""

from dataclasses import dataclass

import numpy as np

WORK_SIDE = 64
"""Pixels; longer short sides are averaged down to about this first."""

MIN_COLOUR = 30.0
"""Distance from the background's colour, brightness apart, 8-bit levels: below it nothing is coloured."""

MIN_AREA = 0.01
"""Share of the frame; a smaller thing is noise."""


@dataclass(frozen=True)
class Blob:
    """The coloured thing of one frame."""

    x: float
    """Middle, short sides right of the frame's middle."""
    y: float
    """Middle, short sides below the frame's middle."""
    colour: np.ndarray
    """Opponent colour summed over its pixels, (3,)."""
    area: float
    """Pixels, antialiased."""
    is_whole: bool
    """It does not touch the edge of the frame."""
    coverage: np.ndarray
    """How much of each pixel it covers, (H, W) float in 0..1; 0 outside the thing."""
    centre: tuple[float, float]
    """Middle in pixels of `coverage`, column and row."""


def opponent_colour(rgb: np.ndarray) -> np.ndarray:
    """RGB (..., 3) without brightness: the distance of each channel from their mean."""
    return rgb - rgb.mean(axis=-1, keepdims=True)


def find_blobs(frames: np.ndarray) -> list[Blob | None]:
    """The coloured thing in each of `frames` (T, H, W, 3) uint8, None where there is none."""
    colours = opponent_colour(_soften(_shrink(frames)))
    colours = colours - np.median(colours, axis=(1, 2), keepdims=True)
    strength = np.linalg.norm(colours, axis=-1)
    peaks = np.percentile(strength, 99, axis=(1, 2))
    level = max(float(np.median(peaks)), MIN_COLOUR)
    return [
        _find_blob(colour, s, max(MIN_COLOUR, 0.5 * (level + min(peak, level)))) if peak >= MIN_COLOUR else None
        for colour, s, peak in zip(colours, strength, peaks, strict=True)
    ]


def _shrink(frames: np.ndarray) -> np.ndarray:
    """Frames averaged over whole blocks of pixels until the short side is near WORK_SIDE, (T, H, W, 3) float32."""
    step = max(1, min(frames.shape[1:3]) // WORK_SIDE)
    height, width = (side // step * step for side in frames.shape[1:3])
    blocks = frames[:, :height, :width].reshape(len(frames), height // step, step, width // step, step, 3)
    return blocks.mean(axis=(2, 4), dtype=np.float32)


def _soften(frames: np.ndarray) -> np.ndarray:
    """Frames under a 1-2-1 filter along both axes: noise of single pixels goes, outlines stay."""
    for axis in (1, 2):
        padded = np.pad(frames, [(1, 1) if a == axis else (0, 0) for a in range(4)], mode="edge")
        low, middle, high = (np.take(padded, range(i, i + frames.shape[axis]), axis=axis) for i in range(3))
        frames = (low + 2 * middle + high) / 4
    return frames


def _find_blob(colours: np.ndarray, strength: np.ndarray, level: float) -> Blob | None:
    """The largest patch of coloured pixels of one frame; colours (H, W, 3), strength (H, W), `level` of a full pixel."""
    mask = largest_patch(strength >= level / 2)
    if mask.sum() < MIN_AREA * mask.size:
        return None
    near = grow(mask)
    coverage = np.where(near, (strength / level).clip(0, 1), 0)
    height, width = mask.shape
    area = float(coverage.sum())
    column = float((coverage.sum(axis=0) @ (np.arange(width) + 0.5)) / area)
    row = float((coverage.sum(axis=1) @ (np.arange(height) + 0.5)) / area)
    edge = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
    short = min(height, width)
    return Blob(
        (column - width / 2) / short, (row - height / 2) / short, colours[mask].sum(axis=0), area,
        not edge, coverage, (column, row),
    )  # fmt: skip


def largest_patch(mask: np.ndarray) -> np.ndarray:
    """The largest set of touching pixels of a mask (H, W) of bool; all False when the mask is empty."""
    best, rest = np.zeros_like(mask), mask.copy()
    while rest.sum() > best.sum():
        patch = _fill(rest)
        rest &= ~patch
        if patch.sum() > best.sum():
            best = patch
    return best


def _fill(mask: np.ndarray) -> np.ndarray:
    """The patch that holds the mask's first pixel."""
    patch = np.zeros_like(mask)
    patch.flat[int(np.argmax(mask))] = True
    size = 0
    while (filled := int(patch.sum())) != size:
        size = filled
        patch = grow(patch) & mask
    return patch


def grow(mask: np.ndarray) -> np.ndarray:
    """The mask and the pixels beside it."""
    out = mask.copy()
    out[1:] |= mask[:-1]
    out[:-1] |= mask[1:]
    out[:, 1:] |= mask[:, :-1]
    out[:, :-1] |= mask[:, 1:]
    return out
