"""Light of a clip, from the signals: how bright it is, how much of it is black, how often it flashes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest

BLACK_SHARE = 0.98
"""Share of dark pixels that makes a frame black: ffmpeg's blackframe."""


@dataclass(frozen=True)
class LightDetector:
    """Mean luma, share of black frames, flashes a second."""

    min_flash: float = 20.0
    """Levels (0..255) by which the mean luma must rise and fall again within three frames for a flash. Our decision."""

    name: ClassVar[str] = "light"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {
        "light.luma": "0..255",
        "light.black_fraction": "0..1",
        "light.flashes_per_second": "1/s",
    }
    cost: ClassVar[float] = 0.02
    packages: ClassVar[tuple[str, ...]] = ()
    frames: ClassVar[FrameRequest] = FrameRequest()

    def score(self, clip: ClipInput) -> dict[str, float]:
        """A flash of several frames counts once."""
        is_flash = clip.signals["flash"] >= self.min_flash
        flashes = np.count_nonzero(is_flash[1:] & ~is_flash[:-1]) + bool(is_flash[:1].any())
        return {
            "light.luma": float(clip.signals["luma"].mean()),
            "light.black_fraction": float((clip.signals["black"] >= BLACK_SHARE).mean()),
            "light.flashes_per_second": flashes / clip.clip.duration,
        }
