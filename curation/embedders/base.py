"""What an embedder is: as a detector it says which frames it needs, and turns a clip into vectors of length one, not into numbers.

Axes: K vectors of a clip in order of time, D numbers of a vector, N vectors of many clips.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest


@dataclass(frozen=True)
class CopyRules:
    """How copies are told from an embedder's vectors."""

    threshold: float
    """Cosine from which on two frames are the same picture, unless the config says another."""
    mirrored: Callable[[np.ndarray], np.ndarray] | None = None
    """(N, D) vectors -> those of the same frames with left and right swapped; None: mirrored copies are not looked for."""
    is_telling: Callable[[np.ndarray], np.ndarray] | None = None
    """(N, D) vectors -> (N,) bool: does the frame show enough to tell it from others? A black one does not. None: all do."""


@runtime_checkable
class Embedder(Protocol):
    """Turns a clip into vectors. A frozen dataclass: its fields are its parameters, fields that hold a `Path` are weights."""

    name: ClassVar[str]
    """For messages; the `embedder` column has the name in the YAML."""
    version: ClassVar[int]
    """Raised when the same clip and parameters give other vectors."""
    cost: ClassVar[float]
    """CPU milliseconds a clip, roughly."""
    packages: ClassVar[tuple[str, ...]]
    """Distributions whose version changes the vectors."""
    copies: ClassVar[CopyRules | None]
    """How near-duplicates are told from its vectors; None: they are not made for that."""

    @property
    def frames(self) -> FrameRequest:
        """The frames it wants to see."""

    def embed(self, clip: ClipInput) -> np.ndarray:
        """(K, D) float32, K >= 1, rows of length one."""


LENGTH_TOLERANCE = 1e-3
"""How far from one a row's length may be."""


def check_vectors(embedder: Embedder, vectors: np.ndarray, clip_id: str) -> np.ndarray:
    """The vectors. Raises ValueError when they are not (K, D) float32 rows of length one."""
    if vectors.ndim != 2 or vectors.size == 0 or vectors.dtype != np.float32:
        raise ValueError(
            f"embedder {embedder.name}: {vectors.dtype} of shape {vectors.shape} for clip {clip_id}, wanted (K, D) float32"
        )
    lengths = np.linalg.norm(vectors, axis=1)
    if not (np.abs(lengths - 1) < LENGTH_TOLERANCE).all():
        raise ValueError(f"embedder {embedder.name}: a vector of clip {clip_id} has length {lengths.min()}, wanted 1")
    return vectors


def scale_to_one(vectors: np.ndarray) -> np.ndarray:
    """(N, D) float32 with each row scaled to length one."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
