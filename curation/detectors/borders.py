"""Black borders: letterbox and pillarbox [S App B.1], from the border boxes of the decoding pass."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest
from curation.signals.borders import SIDES, typical_border


@dataclass(frozen=True)
class BordersDetector:
    """The border of each side that most telling frames agree on."""

    name: ClassVar[str] = "borders"
    version: ClassVar[int] = 2
    metrics: ClassVar[dict[str, str]] = {
        "borders.max_px": "px",
        "borders.area_fraction": "0..1",
        "borders.unsteady_fraction": "0..1",
    }
    cost: ClassVar[float] = 0.03
    packages: ClassVar[tuple[str, ...]] = ()
    frames: ClassVar[FrameRequest] = FrameRequest()

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Widest border (px) that is not cropped off, and share of the picture that is border. Absent when all frames are black."""
        boxes = np.stack([clip.signals[f"border_{side}"] for side in SIDES])
        if np.isnan(boxes).all():
            return {}
        cropped = (getattr(clip.clip, f"crop_{side}") for side in SIDES)
        top, bottom, left, right = (
            max(0.0, typical_border(values) - already) for values, already in zip(boxes, cropped, strict=True)
        )
        width, height = clip.clip.width, clip.clip.height
        picture = max(0.0, width - left - right) * max(0.0, height - top - bottom)
        return {
            "borders.max_px": max(top, bottom, left, right),
            "borders.area_fraction": 1 - picture / (width * height),
            "borders.unsteady_fraction": float(np.mean(_unsteady(boxes))),
        }


STEADY_PX = 4.0
"""A bar that moves by less is the same: subtitles, compression and a dark shot's edge move it so far. Our decision."""


def _unsteady(boxes: np.ndarray) -> np.ndarray:
    """Which frames have other bars than the clip usually has, on any side; `boxes` (4, N), (N,) bool."""
    usual = np.array([typical_border(values) for values in boxes])[:, None]
    return (np.isfinite(boxes) & (np.abs(boxes - usual) > STEADY_PX)).any(axis=0)
