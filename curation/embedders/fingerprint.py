"""A perceptual fingerprint of frames, without weights: what a frame looks like when size, light, contrast and fine detail are taken away.

A small luma picture has its local mean and contrast taken out, so that a face, a wall's texture and a logo weigh as much as the room they
take; the low frequencies of what is left (DCT) are the vector, and one more number says how flat the frame is. Mirroring a frame turns
the sign of the odd horizontal frequencies, so mirrored copies are compared without another look at them. Every constant is our decision,
set on real footage and the toy world (`benchmarks/duplicates.py`).
"""

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest
from curation.embedders.base import CopyRules, scale_to_one

SIDE = 32
"""Pixels of the small picture, whatever the frame's aspect: a copy may be stretched."""

NEIGHBOURHOOD = 3.0
"""Standard deviation of the Gaussian that says what is local, small pixels."""

NOISE = 3.0
"""Contrast taken for noise, 8-bit levels: what compression leaves in a flat area does not count."""

FREQUENCIES = 12
"""Lowest DCT frequencies kept along each axis."""

EMPHASIS = 0.5
"""Frequencies are weighted by their power of this: pictures differ less in the lowest ones."""

FLATNESS = 4.0
"""Length that a flat frame has in place of what it shows; a frame full of detail has about 30 of its own."""


@dataclass(frozen=True)
class FingerprintEmbedder:
    """144 numbers a frame."""

    per_second: float = 4.0
    """Frames a second: a trimmed copy is off by half a step at most, and hand-held cameras do not wait."""

    name: ClassVar[str] = "fingerprint"
    version: ClassVar[int] = 1
    cost: ClassVar[float] = 5.0
    packages: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if not self.per_second > 0:
            raise ValueError(f"per_second is {self.per_second}, wanted more than 0")

    @property
    def frames(self) -> FrameRequest:
        """Frames in equal steps of time."""
        return FrameRequest("rate", per_second=self.per_second, max_side_px=4 * SIDE)

    def embed(self, clip: ClipInput) -> np.ndarray:
        """(K, 144), one row a frame."""
        return scale_to_one(np.stack([describe(frame) for frame in clip.frames]))

    @property
    def copies(self) -> CopyRules:
        """In 500,000 pairs of toy-world clips half the frames reach a cosine of 0.69 at most; of 37 copies the faintest reaches 0.84."""
        return CopyRules(0.75, mirrored, is_telling)


def describe(image: np.ndarray) -> np.ndarray:
    """(144,) float32 of a frame (H, W, 3) uint8 RGB, not yet scaled; the last number is the flatness."""
    import cv2

    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(luma, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    deviation = small - _around(small)
    detail = deviation / np.sqrt(_around(deviation**2) + NOISE**2)
    low = cv2.dct(detail)[:FREQUENCIES, :FREQUENCIES].ravel()[1:]
    weighted = low * _weights()
    length = np.linalg.norm(weighted)
    if length > 0:
        weighted *= np.linalg.norm(low) / length
    return np.append(weighted, np.float32(FLATNESS))


def mirrored(vectors: np.ndarray) -> np.ndarray:
    """(N, 144) of the same frames with left and right swapped; its own inverse."""
    return vectors * _mirror_signs()


def is_telling(vectors: np.ndarray) -> np.ndarray:
    """(N,) bool: the frame shows more than flatness."""
    return vectors[:, -1] < np.sqrt(0.5)


def _around(values: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.GaussianBlur(values, (0, 0), NEIGHBOURHOOD, borderType=cv2.BORDER_REFLECT)


@cache
def _weights() -> np.ndarray:
    rows, columns = np.indices((FREQUENCIES, FREQUENCIES))
    return ((rows**2 + columns**2) ** (EMPHASIS / 2)).ravel()[1:].astype(np.float32)


@cache
def _mirror_signs() -> np.ndarray:
    columns = np.indices((FREQUENCIES, FREQUENCIES))[1].ravel()[1:]
    return np.append(np.where(columns % 2, -1, 1), 1).astype(np.float32)
