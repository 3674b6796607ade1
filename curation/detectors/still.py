"""Stills sold as video: frozen frames, and one picture that is only shifted or zoomed (slideshows) [S §3.2.1 names both, gives no method].

From the signals alone. A frozen frame differs from the one before by less than ffmpeg's freezedetect asks; a moved picture follows one
similarity altogether, with nothing left that moves by itself. A camera on a tripod that pans over an empty landscape does the same: the
number says what is seen, not what was meant.
"""

from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest
from curation.signals.camera_path import seen_frames

FROZEN_DIFFERENCE = 0.001 * 255
"""Mean absolute luma difference below which a frame repeats the one before: -60 dB, freezedetect's default."""

RENEWED_DIFFERENCE = 2.0
"""Difference below which a single frame between two frozen ones is the same picture, coded anew at a key frame. Our decision."""

RIGID_INLIERS = 0.97
"""Share of the picture that must follow one similarity for it to be one picture moved. Our decision."""

RIGID_RESIDUAL = 0.12
"""Flow that the similarity may leave, in shares of all flow. Our decision: estimated flow of a moved picture leaves 0.02 to 0.1."""


@dataclass(frozen=True)
class StillDetector:
    """Shares of the clip that stand or show one picture."""

    min_freeze_s: float = 0.3
    """Shortest run of equal frames that is a freeze, not a repeated frame of a slower source."""

    name: ClassVar[str] = "still"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {
        "still.freeze_fraction": "0..1",
        "still.longest_freeze_s": "s",
        "still.picture_fraction": "0..1",
    }
    cost: ClassVar[float] = 0.05
    packages: ClassVar[tuple[str, ...]] = ()
    frames: ClassVar[FrameRequest] = FrameRequest()

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Share of the clip in freezes, the longest of them, and the share in which one picture stands or moves as a whole.

        The last is absent where flow was seen on no frame.
        """
        signals, duration = clip.signals, clip.clip.duration
        frozen = _frozen(signals["difference"])
        runs = self._runs(frozen, signals["pts_s"], float(signals["pts_s"][0]) + duration)
        scores = {
            "still.freeze_fraction": min(1.0, sum(runs) / duration),
            "still.longest_freeze_s": max(runs, default=0.0),
        }
        seen = seen_frames(signals)
        if len(seen):
            left = signals["flow_residual"][seen] <= RIGID_RESIDUAL * signals["flow"][seen]
            rigid = (signals["camera_inliers"][seen] >= RIGID_INLIERS) & left
            scores["still.picture_fraction"] = float((rigid | frozen[seen]).mean())
        return scores

    def _runs(self, frozen: np.ndarray, pts_s: np.ndarray, end_s: float) -> list[float]:
        """Lengths, seconds, of the freezes: from the first of the equal frames to the end of the last."""
        edges = np.append(pts_s, end_s)
        runs, place = [], 0
        for is_frozen, group in groupby(frozen.tolist()):
            number = len(list(group))
            if is_frozen:
                runs.append(float(edges[place + number] - edges[place - 1]))
            place += number
        return [run for run in runs if run >= self.min_freeze_s]


def _frozen(difference: np.ndarray) -> np.ndarray:
    """Which frames of a clip repeat the one before; (N,) bool."""
    frozen = difference < FROZEN_DIFFERENCE
    frozen[:1] = False  # it is compared with the frame before the clip
    renewed = frozen[:-2] & frozen[2:] & (difference[1:-1] < RENEWED_DIFFERENCE)
    frozen[1:-1] |= renewed
    return frozen
