"""What a frame must not show: unsafe content, watermarks. A head on CLIP's embedding, or an image classifier, both by path.

A clip is as bad as its worst frame, so both yield the highest of a few frames [our decision: a watermark that shows up once is there].
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest, check_weights
from curation.detectors.clip_model import check_clip, check_head_fits, load_clip, load_head
from curation.detectors.image_classifier import check_classifier, load_classifier
from moviegen.errors import UsageError


@dataclass(frozen=True)
class FrameClassDetector:
    """One number a frame, by one of two routes: `head` (with `clip_weights`) or `classifier` (with `label`)."""

    classifier: Path | None = None
    """Folder of a transformers image classifier."""
    label: str = ""
    """The classifier's label whose probability is the score."""
    head: Path | None = None
    """Linears that turn CLIP's embedding into one number, a state dict as LAION publishes them."""
    clip_weights: Path | None = None
    """open_clip weights of the model that the head was trained on."""
    clip_model: str = "ViT-L-14-quickgelu"
    """open_clip's name of the architecture."""
    activation: Literal["none", "relu"] = "relu"
    """Between the head's Linears; a state dict does not say. LAION's NSFW head for ViT-H-14 has ReLUs."""
    output: Literal["raw", "sigmoid"] = "raw"
    """`sigmoid` for a head that answers a logit; LAION's NSFW head answers about 0..1 as it is."""
    count: int = 4
    """Frames looked at, spread evenly; our decision."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    cost: ClassVar[float] = 8000.0
    packages: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if (self.classifier is None) == (self.head is None):
            raise UsageError(f"detector {self.name}: wants one of score.detectors.{self.name}.classifier and .head")
        if self.classifier is not None:
            check_classifier(self.name, self.classifier)
            return
        if self.clip_weights is None:
            raise UsageError(f"detector {self.name}: a head wants score.detectors.{self.name}.clip_weights too")
        for value, known in ((self.activation, ("none", "relu")), (self.output, ("raw", "sigmoid"))):
            if value not in known:
                raise ValueError(f"detector {self.name}: {value!r} is not one of {', '.join(known)}")
        check_clip(self.name, self.clip_weights, self.clip_model)
        check_weights(self.name, "head", self.head, f"a head of {self.clip_model}")

    @property
    def frames(self) -> FrameRequest:
        """A few frames, spread."""
        return FrameRequest("spread", self.count)

    def score(self, clip: ClipInput) -> dict[str, float]:
        """The highest of the frames."""
        return {f"{self.name}.max": float(self.rate(clip.frames).max())}

    def rate(self, images: list[np.ndarray]) -> np.ndarray:
        """(B,) scores of images (H, W, 3) uint8 RGB."""
        return self._rate(images)

    @cached_property
    def _rate(self):
        if self.classifier is not None:
            return load_classifier(self.name, self.classifier, self.label)
        import torch

        network = load_clip(self.name, self.clip_weights, self.clip_model)
        head = load_head(self.name, self.head, self.activation)
        check_head_fits(self.name, self.head, head, network)

        def rate(images: list[np.ndarray]) -> np.ndarray:
            with torch.inference_mode():
                answers = head(network.embed_images(images))[:, 0]
                return (answers.sigmoid() if self.output == "sigmoid" else answers).numpy()

        return rate


@dataclass(frozen=True)
class NsfwDetector(FrameClassDetector):
    """Content not safe for work."""

    label: str = "nsfw"

    name: ClassVar[str] = "nsfw"
    metrics: ClassVar[dict[str, str]] = {"nsfw.max": "0..1"}


@dataclass(frozen=True)
class WatermarkDetector(FrameClassDetector):
    """Watermarks and stock agencies' marks."""

    label: str = "watermark"

    name: ClassVar[str] = "watermark"
    metrics: ClassVar[dict[str, str]] = {"watermark.max": "0..1"}
