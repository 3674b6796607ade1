"""Onsets as a detector: how often something begins to sound in a clip. They are found by `moviegen.media.onsets`."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from curation.detectors.base import AudioRequest, ClipInput, FrameRequest
from moviegen.media.onsets import SAMPLE_RATE, find_onsets

__all__ = ["SAMPLE_RATE", "OnsetsDetector", "find_onsets"]


@dataclass(frozen=True)
class OnsetsDetector:
    """How many sounds begin, when the first does, and the longest stretch in which none does."""

    min_rise_db: float = 4.0
    """An onset is a rise of this much, mean over the bands, above the usual one; our decision, on real sounds and the toy world."""

    name: ClassVar[str] = "onsets"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {
        "onsets.per_second": "1/s",
        "onsets.first_s": "s",
        "onsets.longest_gap_s": "s",
    }
    cost: ClassVar[float] = 30.0
    packages: ClassVar[tuple[str, ...]] = ()
    frames: ClassVar[FrameRequest] = FrameRequest(audio=AudioRequest(SAMPLE_RATE, is_mono=True))

    def __post_init__(self) -> None:
        if self.min_rise_db <= 0:
            raise ValueError(f"detector onsets: min_rise_db is {self.min_rise_db}, wanted more than 0")

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Nothing where the file has no audio stream; no first onset where there is none. Gaps reach to both ends of the clip."""
        if clip.audio is None:
            return {}
        times = find_onsets(clip.audio.samples[0], self.min_rise_db)
        duration = clip.audio.samples.shape[1] / SAMPLE_RATE
        gaps = np.diff([0.0, *times, duration])
        scores = {"onsets.per_second": len(times) / duration, "onsets.longest_gap_s": float(gaps.max())}
        return scores | {"onsets.first_s": float(times[0])} if len(times) else scores
