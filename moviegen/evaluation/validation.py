"""What an autoencoder being trained makes of held-out clips, measured as `moviegen eval run tae` measures files: by the same functions on
the same 8-bit frames."""

from typing import TYPE_CHECKING

from moviegen.evaluation import pictures

if TYPE_CHECKING:
    from torch import Tensor


def validation_psnr(reconstruction: "Tensor", pixels: "Tensor") -> float:
    """Mean over clips of the mean dB of their frames; both (B, 3, T, H, W) in [-1, 1], cut and rounded to 8 bits as a file has them."""
    from moviegen.pipelines.video import pixels_to_frames

    pairs = [(pixels_to_frames(a), pixels_to_frames(b)) for a, b in zip(reconstruction, pixels, strict=True)]
    return sum(float(pictures.psnr(a, b).mean()) for a, b in pairs) / len(pairs)
