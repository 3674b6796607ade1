"""Black borders: letterbox and pillarbox [S App B.1], from the border boxes of the decoding pass."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest

SIDES = ("top", "bottom", "left", "right")


@dataclass(frozen=True)
class BordersDetector:
    """The border of each side that most telling frames agree on."""

    min_telling_fraction: float = 0.1
    """Share of frames that must show a straight edge, or none, on a side: below it the side has no border. Our decision: a
    night scene shows a false edge here and there."""

    name: ClassVar[str] = "borders"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {"borders.max_px": "px", "borders.area_fraction": "0..1"}
    cost: ClassVar[float] = 0.03
    packages: ClassVar[tuple[str, ...]] = ()
    frames: ClassVar[FrameRequest] = FrameRequest()

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Widest border (px) and share of the picture that is border. Absent when every frame is black altogether."""
        boxes = np.stack([clip.signals[f"border_{side}"] for side in SIDES])
        if np.isnan(boxes).all():
            return {}
        top, bottom, left, right = (self._typical(values) for values in boxes)
        width, height = clip.clip.width, clip.clip.height
        picture = max(0.0, width - left - right) * max(0.0, height - top - bottom)
        return {
            "borders.max_px": max(top, bottom, left, right),
            "borders.area_fraction": 1 - picture / (width * height),
        }

    def _typical(self, values: np.ndarray) -> float:
        """Median over the frames that tell: subtitles in a bar, a flash or a dark moment do not move it."""
        telling = values[np.isfinite(values)]
        return float(np.median(telling)) if len(telling) >= self.min_telling_fraction * len(values) else 0.0
