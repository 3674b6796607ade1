"""Vectors of many clips as one matrix, the rows of a clip side by side.

Axes: C clips, N vectors of all clips, K vectors of one clip, D numbers of a vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClipVectors:
    """Vectors sorted by clip and place."""

    ids: list[str]
    """Clip ids (C), sorted, each once."""
    starts: np.ndarray
    """(C + 1,) int64: first row of each clip, and the number of rows at the end."""
    places: np.ndarray
    """(N,) int32: number of the vector in its clip, in order of time."""
    vectors: np.ndarray
    """(N, D) float32."""

    @classmethod
    def sorted_from(cls, clip_ids: Sequence[str], places: np.ndarray, vectors: np.ndarray) -> "ClipVectors":
        """Of rows in any order; `clip_ids` (N) names the clip of each row."""
        names, owners = np.unique(np.asarray(clip_ids, dtype="U"), return_inverse=True)
        order = np.lexsort((places, owners))
        return cls(names.tolist(), first_rows(owners[order], len(names)), np.asarray(places)[order], vectors[order])

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, clip: int) -> slice:
        """Rows of a clip by its number."""
        return slice(self.starts[clip], self.starts[clip + 1])

    @property
    def owners(self) -> np.ndarray:
        """(N,) int32: the number of each row's clip."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.starts))


def first_rows(owners: np.ndarray, num_clips: int) -> np.ndarray:
    """(C + 1,) int64 of sorted clip numbers (N,): first row of each clip, and the number of rows at the end."""
    return np.searchsorted(owners, np.arange(num_clips + 1))


def mean_vectors(clips: ClipVectors) -> np.ndarray:
    """(C, D) float32 of unit length: of each clip the direction of the mean of its own vectors.

    Raises ValueError when a clip's vectors cancel out.
    """
    if not len(clips):
        return np.zeros((0, clips.vectors.shape[-1]), np.float32)
    sums = np.add.reduceat(clips.vectors, clips.starts[:-1], axis=0)
    lengths = np.sqrt(np.einsum("cd,cd->c", sums, sums))
    if (lengths < 1e-6).any():
        raise ValueError(f"clip {clips.ids[np.argmin(lengths)]}: its vectors cancel out, they have no mean direction")
    sums /= lengths[:, None]
    return sums
