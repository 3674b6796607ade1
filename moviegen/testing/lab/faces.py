"""The laboratory's sixteen faces: mirrored patterns of 4 x 4 coloured cells, and which of them a video shows."""

from functools import lru_cache

import numpy as np

from moviegen.testing.scene import COLOURS

NUM_FACES = 16
CELLS = 4
PALETTE = ("red", "yellow", "green", "blue")
"""Colours of cells: all saturated, so that a face stands out as a shape does."""

MIN_DIFFERENT = 5
"""Cells of eight, a face's left half, in which two faces differ at least."""


def face_cells(face: int) -> np.ndarray:
    """(4, 4) numbers of colours, left and right alike. Raises ValueError for a number that is no face's."""
    if not 0 <= face < NUM_FACES:
        raise ValueError(f"face {face}: wanted 0 to {NUM_FACES - 1}")
    half = _halves()[face].reshape(CELLS, CELLS // 2)
    return np.concatenate([half, half[:, ::-1]], axis=1)


@lru_cache
def _halves() -> tuple[np.ndarray, ...]:
    """(8,) a face: drawn in turn, those kept that differ from all before in MIN_DIFFERENT cells."""
    rng = np.random.default_rng(16)
    numbers = np.array([list(COLOURS).index(colour) for colour in PALETTE])
    kept: list[np.ndarray] = []
    while len(kept) < NUM_FACES:
        half = numbers[rng.integers(len(numbers), size=CELLS * CELLS // 2)]
        if all((half != other).sum() >= MIN_DIFFERENT for other in kept):
            kept.append(half)
    return tuple(kept)
