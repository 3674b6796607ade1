"""SSCD, the paper's copy detector (Pizzi et al. 2022) [S §3.2.1, Table 38]: a TorchScript network by path, run on frames.

Axes: K frames, H rows, W columns, D numbers of an embedding (512 of SSCD's published networks). Nothing is downloaded.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest, check_package, check_weights
from curation.embedders.base import CopyRules, scale_to_one
from moviegen.errors import UsageError

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, of RGB in 0..1: what SSCD's networks were trained on."""


@dataclass(frozen=True)
class SscdEmbedder:
    """Copy-detection embedding of frames."""

    weights: Path
    """TorchScript file such as sscd_disc_mixup.torchscript.pt. TorchScript can run code: take it from where you trust."""
    per_second: float = 1.0
    """Frames a second; the paper gives no number, one is our decision."""
    side_px: int = 288
    """Frames are resized to this square, SSCD's own faster way."""

    name: ClassVar[str] = "sscd"
    version: ClassVar[int] = 1
    cost: ClassVar[float] = 2000.0
    packages: ClassVar[tuple[str, ...]] = ()
    copies: ClassVar[CopyRules | None] = CopyRules(0.99)
    """Cosines of 0.99 and above are duplicates [S Table 38]. Mirrored frames are the network's own business."""

    def __post_init__(self) -> None:
        check_package(self.name, "torch", "pip install 'moviegen[detectors]'", "embed.embedders")
        check_weights(self.name, "weights", self.weights, "a TorchScript network of SSCD", "embed.embedders")

    @property
    def frames(self) -> FrameRequest:
        """Frames in equal steps of time, not much larger than the network sees them."""
        return FrameRequest("rate", per_second=self.per_second, max_side_px=2 * self.side_px)

    def embed(self, clip: ClipInput) -> np.ndarray:
        """(K, D), one row a frame."""
        import torch

        with torch.inference_mode():
            found = self._network(torch.from_numpy(np.stack([self._prepare(frame) for frame in clip.frames])))
        if not isinstance(found, torch.Tensor) or found.ndim != 2 or len(found) != len(clip.frames):
            raise UsageError(f"embedder sscd: {self.weights} gives no (K, D) tensor for (K, 3, H, W): not SSCD")
        return scale_to_one(found.float().numpy())

    def _prepare(self, frame: np.ndarray) -> np.ndarray:
        """(3, H, W) float32 as the network takes it, of a frame (H, W, 3) uint8 RGB."""
        import cv2

        small = cv2.resize(frame, (self.side_px, self.side_px), interpolation=cv2.INTER_AREA)
        scaled = (small.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(DEVIATION)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1))

    @cached_property
    def _network(self) -> Any:
        """The network, loaded once."""
        import torch

        try:
            return torch.jit.load(str(self.weights), map_location="cpu").eval()
        except RuntimeError as error:
            raise UsageError(f"embedder sscd: {self.weights} is no TorchScript: {str(error)[:300]}") from error
