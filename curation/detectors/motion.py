"""How much moves: VMAF motion and codec motion vectors [S App B.1, Table 38], and how much of the clip stands still."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest


@dataclass(frozen=True)
class MotionDetector:
    """Means over the clip of what the decoding pass measured."""

    static_motion: float = 0.05
    """A frame stands still when its VMAF motion is below this: our decision; a re-encoded still has about 0.01."""

    name: ClassVar[str] = "motion"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {
        "motion.vmaf": "8-bit luma levels",
        "motion.vector": "px/frame",
        "motion.static_fraction": "0..1",
    }
    cost: ClassVar[float] = 0.02
    packages: ClassVar[tuple[str, ...]] = ()
    frames: ClassVar[FrameRequest] = FrameRequest()

    def score(self, clip: ClipInput) -> dict[str, float]:
        """VMAF motion as ffmpeg's average over the clip alone, mean vector length, share of frames that stand still.

        `motion.vector` is absent where the codec exports no vectors (H.265, VP9, AV1): never a zero in its place.
        """
        motion, vectors = clip.signals["motion"], clip.signals["motion_vector"]
        scores = {"motion.vmaf": float(motion[1:].sum() / len(motion))}
        if len(motion) > 1:
            scores["motion.static_fraction"] = float((motion[1:] < self.static_motion).mean())
        if np.isfinite(vectors).any():
            scores["motion.vector"] = float(np.nanmean(vectors))
        return scores
