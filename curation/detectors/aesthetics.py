"""LAION's aesthetic score on the middle frame [S App B.1]: a CLIP image tower (open_clip) and a small head, both by path.

Two heads are known: LAION's linear ones (one Linear of the embedding) and the "improved" predictor (five Linears). Both read the
embedding scaled to length one. Nothing is downloaded: without weights there is no such detector, and no number in its place.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest, check_weights
from curation.detectors.clip_model import check_clip, check_head_fits, load_clip, load_head


@dataclass(frozen=True)
class AestheticDetector:
    """Score 0..10 or so; the paper drops clips below 4.0."""

    clip_weights: Path
    """open_clip weights (.pt, .bin or .safetensors) of `clip_model`; LAION's heads were trained on OpenAI's."""
    head: Path
    """LAION head: sa_0_4_vit_l_14_linear.pth, sac+logos+ava1-l14-linearMSE.pth or its like."""
    clip_model: str = "ViT-L-14-quickgelu"
    """open_clip's name of the architecture; OpenAI's weights need the quickgelu kind."""

    name: ClassVar[str] = "aesthetic"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {"aesthetic.middle": "about 0..10"}
    cost: ClassVar[float] = 600.0
    packages: ClassVar[tuple[str, ...]] = ()
    frames: ClassVar[FrameRequest] = FrameRequest("middle")

    def __post_init__(self) -> None:
        check_clip(self.name, self.clip_weights, self.clip_model)
        check_weights(self.name, "head", self.head, "a LAION aesthetic head")

    def score(self, clip: ClipInput) -> dict[str, float]:
        """The middle frame's score."""
        return {"aesthetic.middle": float(self.rate(clip.frames[0]))}

    def rate(self, image: np.ndarray) -> float:
        """The score of an image, (H, W, 3) uint8 RGB."""
        import torch

        network, head = self._networks
        with torch.inference_mode():
            return float(head(network.embed_images([image])))

    @cached_property
    def _networks(self) -> tuple:
        """(CLIP, the head), loaded once."""
        network, head = load_clip(self.name, self.clip_weights, self.clip_model), load_head(self.name, self.head)
        check_head_fits(self.name, self.head, head, network)
        return network, head
