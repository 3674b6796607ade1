"""Which shape an outline is: its mean silhouette over the frames against drawn ones of the same area."""

from functools import lru_cache

import numpy as np

from .drawing import shape_distance
from .scene import SHAPES
from .tracking import Blob

CANVAS = 48
"""Side of the silhouette's raster; the shape's area fills `UNIT` x `UNIT` x pi of it."""

UNIT = 14.0
"""Radius, in canvas pixels, of the circle of the silhouette's area."""

BLURS = (0.7, 1.5, 2.5, 3.5, 4.5)
"""Standard deviations, canvas pixels, by which the drawn silhouettes are blurred: generated clips are not sharp."""

MIN_OVERLAP = 0.75
"""Overlap below which an outline is no shape of the world (our decision): clean and blurred scenes stay above 0.87, of 60
smooth random patches none reaches it."""


def classify_shape(blobs: list[Blob]) -> tuple[str, float]:
    """(shape, overlap in 0..1) of the mean outline; frames in which it is cut by the edge count only when all are."""
    whole = [blob for blob in blobs if blob.is_whole] or blobs
    mean = np.mean([silhouette(blob) for blob in whole], axis=0)
    overlaps = {shape: max(_overlap(mean, drawn) for drawn in drawn_silhouettes(shape)) for shape in SHAPES}
    best = max(overlaps, key=lambda shape: overlaps[shape])
    return best, overlaps[best]


def silhouette(blob: Blob) -> np.ndarray:
    """A blob's coverage moved to the middle of the canvas and scaled to the unit area, (CANVAS, CANVAS) in 0..1."""
    scale = np.sqrt(blob.area / np.pi) / UNIT
    at = (np.arange(CANVAS) + 0.5 - CANVAS / 2) * scale
    return _sample(blob.coverage, at + blob.centre[1] - 0.5, at + blob.centre[0] - 0.5)


def _sample(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Bilinear values on a raster of rows and columns; 0 outside."""
    padded = np.pad(values, 1)

    def weights(at: np.ndarray, length: int) -> np.ndarray:
        return np.maximum(0, 1 - np.abs(at[:, None] + 1 - np.arange(length)[None, :]))

    return weights(rows, padded.shape[0]) @ padded @ weights(columns, padded.shape[1]).T


@lru_cache
def drawn_silhouettes(shape: str) -> tuple[np.ndarray, ...]:
    """The shape as `silhouette` would give it, one for each blur."""
    axis = np.arange(CANVAS) + 0.5 - CANVAS / 2
    drawn = []
    for blur in BLURS:
        radius, centre = UNIT, np.zeros(2)
        for _ in range(4):
            distance = shape_distance(shape, axis[None, :] - centre[0], axis[:, None] - centre[1], radius)
            coverage = _blur((0.5 - distance).clip(0, 1), blur)
            coverage = np.where(coverage >= 0.25, (coverage / np.percentile(coverage, 99)).clip(0, 1), 0)
            area = coverage.sum()
            radius *= UNIT / np.sqrt(area / np.pi)
            centre = centre - np.array([coverage.sum(axis=0) @ axis, coverage.sum(axis=1) @ axis]) / area
        drawn.append(coverage)
    return tuple(drawn)


def _blur(values: np.ndarray, width: float) -> np.ndarray:
    """Values under a Gaussian of that standard deviation, pixels."""
    at = np.arange(len(values))
    weights = np.exp(-0.5 * ((at[:, None] - at[None, :]) / width) ** 2)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights @ values @ weights.T


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.minimum(a, b).sum() / np.maximum(a, b).sum())
