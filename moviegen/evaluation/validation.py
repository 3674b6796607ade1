"""What a model being trained makes of held-out clips and of prompts, measured as `moviegen eval run` measures files: by the same functions
on the same 8-bit frames.

Axis letters: B batch, C channels, T frames, H W rows and columns.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from moviegen.evaluation import pictures
from moviegen.evaluation.inside import outliers
from moviegen.evaluation.samples import measure_frames

if TYPE_CHECKING:
    from torch import Tensor

OF_SAMPLES = ("motion", "flicker", "frozen")
"""Metrics of what is made of prompts that need neither a network nor a partner."""


def reconstruction_metrics(reconstruction: "Tensor", pixels: "Tensor") -> dict[str, float]:
    """psnr, ssim and flicker_error, means over clips; both (B, 3, T, H, W) in [-1, 1], cut and rounded to 8 bits as a file has them.

    A single frame has no flicker, and a picture under 11 px no ssim.
    """
    pairs = _frames(reconstruction, pixels)
    found = {"psnr": float(np.mean([pictures.psnr(a, b).mean() for a, b in pairs]))}
    if min(pixels.shape[-2:]) >= pictures.WINDOW:
        found["ssim"] = float(np.mean([pictures.ssim(a, b).mean() for a, b in pairs]))
    if pixels.shape[2] > 1:
        found["flicker_error"] = float(np.mean([pictures.flicker_error(a, b) for a, b in pairs]))
    return found


def latent_metrics(z: "Tensor") -> dict[str, float]:
    """latent_outliers and latent_farthest: means over latents (B, C, T, H, W)."""
    rows = [outliers(each.double().cpu().numpy()) for each in z]
    return dict(zip(("latent_outliers", "latent_farthest"), np.mean(rows, 0).tolist(), strict=True))


def sample_metrics(clips: Sequence[np.ndarray], fps: Fraction) -> dict[str, float]:
    """`OF_SAMPLES` of generated clips, each (T, H, W, 3) uint8: means over clips; none of single frames."""
    found = {name: [measure_frames(name, clip, fps) for clip in clips if len(clip) > 1] for name in OF_SAMPLES}
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def _frames(reconstruction: "Tensor", pixels: "Tensor") -> list[tuple[np.ndarray, np.ndarray]]:
    from moviegen.pipelines.video import pixels_to_frames

    return [(pixels_to_frames(a), pixels_to_frames(b)) for a, b in zip(reconstruction, pixels, strict=True)]
