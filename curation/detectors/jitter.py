"""Jitter: cuts that a plain cut detector would see inside a clip that has none, a second [S App B.1, Table 38].

The paper counts PySceneDetect's false-positive shots and does not name the detector. Ours: ContentDetector's score against its
default threshold. Shots are split by a finder that looks past shaking, so what is left over here is shaking, flicker or slides that
follow each other fast. Beside it stands what the camera's path says: how much it trembles.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest
from curation.signals.camera_path import seen_frames, shake_of


@dataclass(frozen=True)
class JitterDetector:
    """Frames whose content change reaches the threshold, a second; and how much the camera trembles."""

    threshold: float = 27.0
    """ContentDetector's default, mean HSV change 0..255."""

    name: ClassVar[str] = "jitter"
    version: ClassVar[int] = 2
    metrics: ClassVar[dict[str, str]] = {"jitter.shots_per_second": "1/s", "jitter.shake": "diagonals/s"}
    cost: ClassVar[float] = 0.01
    packages: ClassVar[tuple[str, ...]] = ()
    frames: ClassVar[FrameRequest] = FrameRequest()

    def score(self, clip: ClipInput) -> dict[str, float]:
        """False shots a second (the clip's own first frame is no cut of its own), and shake, absent where no flow was seen."""
        cuts = np.count_nonzero(clip.signals["cut_score"][1:] >= self.threshold)
        scores = {"jitter.shots_per_second": cuts / clip.clip.duration}
        seen = seen_frames(clip.signals)
        if len(seen) >= 3:
            x, y, pts_s = (clip.signals[name][seen].astype(np.float64) for name in ("camera_x", "camera_y", "pts_s"))
            scores["jitter.shake"] = shake_of(x, y, pts_s)
        return scores
