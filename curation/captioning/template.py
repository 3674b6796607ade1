"""A caption made of what was measured: shape, length, light, motion. No model has looked at the clip, and the column says so."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from curation.captioning.base import Caption
from curation.detectors.base import ClipInput, FrameRequest

DARK_LUMA, BRIGHT_LUMA = 60, 170
"""Mean luma (0..255) below and above which a clip is called dark and bright: our decision."""

STILL_MOTION, SLOW_MOTION, FAST_MOTION = 0.05, 2.0, 9.0
"""VMAF motion: still below the first, slow below the second (the paper's bound [S Table 38]), fast above the third (our decision)."""


@dataclass(frozen=True)
class TemplateCaptioner:
    """A sentence of measured facts, so that a clip without any text can still be used and told apart."""

    name: ClassVar[str] = "template"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ()
    needs_cleaning: ClassVar[bool] = False
    frames: ClassVar[FrameRequest] = FrameRequest()

    def caption(self, clip: ClipInput) -> Caption | None:
        """Shape, seconds, light and motion: `A landscape video of 5.2 seconds, bright, with slow motion.`"""
        facts = (f"{clip.clip.duration:.1f} seconds", _light(clip.signals["luma"]), _motion(clip.signals["motion"]))
        return Caption(
            f"A {_shape(clip.clip.width, clip.clip.height)} video of {', '.join(fact for fact in facts if fact)}."
        )


def _shape(width: int, height: int) -> str:
    if width == height:
        return "square"
    return "landscape" if width > height else "portrait"


def _light(luma: np.ndarray) -> str:
    mean = float(luma.mean())
    if mean < DARK_LUMA:
        return "dark"
    return "bright" if mean > BRIGHT_LUMA else ""


def _motion(motion: np.ndarray) -> str:
    mean = float(motion[1:].mean()) if len(motion) > 1 else 0.0
    if mean < STILL_MOTION:
        return "with no motion"
    if mean < SLOW_MOTION:
        return "with slow motion"
    return "with fast motion" if mean > FAST_MOTION else "with motion"
