"""Which of the laboratory's faces a video shows: the crop of what is coloured against all sixteen drawn ones. No learned part."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from moviegen.testing.tracking import grow, largest_patch

from .faces import NUM_FACES
from .pictures import paint_face
from .raster import sample
from .sight import colour_strength

CHANCE = 1 / NUM_FACES

CROP = 24
"""Pixels of a crop's side; the drawn faces fill it but for a margin."""

HALVES = (7.0, 8.0, 9.0)
"""Half sides, px of the crop, at which faces are drawn: how large one is in its crop is not known exactly."""

MIN_STRENGTH = 60.0
"""Distance from the background's colour, brightness apart, 8-bit levels, from which a pixel is of a face."""

SHIFTS = (-1.0, 0.0, 1.0)


@dataclass(frozen=True)
class IdentityVerdict:
    """Whose face is shown."""

    face: int | None
    """Nearest of all; None where there is nothing coloured."""
    margin: float
    """How much nearer than the next, as a share of the next's distance."""


def read_identity(frames: np.ndarray) -> IdentityVerdict:
    """The face of (T, H, W, 3) uint8 frames, by its distance to every face summed over the frames."""
    crops = [crop for crop in map(_crop, frames, colour_strength(frames)) if crop is not None]
    if not crops:
        return IdentityVerdict(None, 0.0)
    distances = np.sum([_distances(crop) for crop in crops], axis=0)
    first, second = np.argsort(distances)[:2]
    return IdentityVerdict(int(first), float(1 - distances[first] / max(distances[second], 1e-9)))


def _crop(frame: np.ndarray, strength: np.ndarray) -> np.ndarray | None:
    """(CROP, CROP, 3) float32 around the coloured thing, its half side brought to 8 px; None where there is none."""
    mask = strength >= MIN_STRENGTH
    mask &= largest_patch(grow(mask))  # where two cells of opposite colours meet, a row of pixels is grey
    if mask.sum() < 16:
        return None
    (top, bottom), (left, right) = (_extent(mask.sum(axis)) for axis in (1, 0))
    half = max(bottom - top, right - left) / 2
    at = (np.arange(CROP) + 0.5 - CROP / 2) * half / 8.0
    rows, columns = (top + bottom) / 2 + at - 0.5, (left + right) / 2 + at - 0.5
    return sample(frame.astype(np.float32), rows[:, None], columns[None])


def _extent(counts: np.ndarray) -> tuple[int, int]:
    """First row of a mask and the one after its last, those left out that hold less than half of the fullest."""
    filled = np.flatnonzero(counts >= counts.max() / 2)
    return int(filled[0]), int(filled[-1]) + 1


def _distances(crop: np.ndarray) -> np.ndarray:
    """(NUM_FACES,) least mean squared difference from each face, over places and sizes; only within the drawn face."""
    drawn, inside, own = _drawn()
    flat = crop.reshape(-1)
    errors = own - 2 * (drawn @ flat).reshape(own.shape) + inside @ np.square(flat)
    return (errors / inside.sum(-1)).min(axis=1)


@lru_cache
def _drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(faces x variants, values) of the drawn faces, 0 outside; (variants, values) of where they are; (faces, variants) their squares."""
    middles = [(CROP / 2 + x, CROP / 2 + y, half) for half in HALVES for x in SHIFTS for y in SHIFTS]
    drawn = np.zeros((NUM_FACES, len(middles), CROP, CROP, 3), np.float32)
    for number, (x, y, half) in enumerate(middles):
        for face in range(NUM_FACES):
            paint_face(drawn[face, number], face, (x, y), half)
    inside = (drawn[0].max(-1, keepdims=True) > 1).repeat(3, -1).astype(np.float32).reshape(len(middles), -1)
    flat = drawn.reshape(NUM_FACES, len(middles), -1) * inside
    return flat.reshape(-1, flat.shape[-1]), inside, np.square(flat).sum(-1)
