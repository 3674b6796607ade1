"""How much moves: VMAF motion and codec motion vectors [S App B.1, Table 38], optical flow, and how much of the clip stands still.

Motion vectors depend on the encoder, and H.265, VP9 and AV1 export none; VMAF motion depends on what is in the picture. Optical flow
depends on neither, nor on size or frame rate: it is told in diagonals a second, all of it and what the camera does not explain.
"""

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
    version: ClassVar[int] = 2
    metrics: ClassVar[dict[str, str]] = {
        "motion.vmaf": "8-bit luma levels",
        "motion.vector": "px/frame",
        "motion.px_per_frame": "px/frame",
        "motion.flow": "diagonals/s",
        "motion.object": "diagonals/s",
        "motion.static_fraction": "0..1",
    }
    cost: ClassVar[float] = 0.02
    packages: ClassVar[tuple[str, ...]] = ()
    frames: ClassVar[FrameRequest] = FrameRequest()

    def score(self, clip: ClipInput) -> dict[str, float]:
        """VMAF motion as ffmpeg's average over the clip alone, mean vector length, flow, share of frames that stand still.

        `motion.vector` is absent where the codec exports no vectors (H.265, VP9, AV1): never a zero in its place. There
        `motion.px_per_frame` is the flow in the same unit, of the picture as displayed; elsewhere it is `motion.vector`.
        """
        motion, vectors = clip.signals["motion"], clip.signals["motion_vector"]
        scores = {"motion.vmaf": float(motion[1:].sum() / len(motion))}
        if len(motion) > 1:
            scores["motion.static_fraction"] = float((motion[1:] < self.static_motion).mean())
        flow, left = clip.signals["flow"][1:], clip.signals["flow_residual"][1:]
        if np.isfinite(flow).any():
            scores["motion.flow"] = float(np.nanmean(flow))
            scores["motion.object"] = float(np.nanmean(left))
            diagonal = float(np.hypot(clip.clip.width, clip.clip.height))
            scores["motion.px_per_frame"] = scores["motion.flow"] * diagonal * clip.clip.duration / clip.clip.num_frames
        if np.isfinite(vectors).any():
            scores["motion.vector"] = scores["motion.px_per_frame"] = float(np.nanmean(vectors))
        return scores
