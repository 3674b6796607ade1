"""Directions of features: unit vectors and their cosines. `D` numbers of a feature."""

from collections.abc import Sequence

import numpy as np


def unit(features: np.ndarray) -> np.ndarray:
    """Rows of length one; a row of zeros stays, and its cosine with anything is 0."""
    length = np.linalg.norm(features, axis=-1, keepdims=True)
    return features / np.where(length == 0, 1, length)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of two vectors; 0 where one is 0."""
    return float(unit(a) @ unit(b))


def mean_of(parts: Sequence[np.ndarray]) -> np.ndarray:
    """(D,) direction of the mean of unit rows of all parts."""
    return unit(np.concatenate([unit(part) for part in parts]).mean(0))


def alignment(seen: np.ndarray, wanted: np.ndarray) -> float:
    """Mean cosine of frames (T, D) with a text (D,)."""
    return float((unit(seen) @ unit(wanted)).mean())


def consistency(seen: np.ndarray) -> float | None:
    """Mean cosine of a frame and the next, of (T, D); None of a single frame."""
    frames = unit(seen)
    return float((frames[1:] * frames[:-1]).sum(1).mean()) if len(frames) > 1 else None
