"""CLIP's embedding of a clip, the mean over a few frames: what it is about, for concepts and search. Not made to tell copies.

Nothing is downloaded. Axes: D numbers of an embedding.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest
from curation.detectors.clip_model import ClipModel, check_clip, load_clip
from curation.embedders.base import CopyRules, scale_to_one


@dataclass(frozen=True)
class ClipEmbedder:
    """One vector a clip, in the space of its captions."""

    clip_weights: Path
    """open_clip weights (.pt, .bin or .safetensors) of `clip_model`."""
    clip_model: str = "ViT-L-14-quickgelu"
    """open_clip's name of the architecture; OpenAI's weights need the quickgelu kind."""
    count: int = 4
    """Frames looked at, spread evenly; our decision."""

    name: ClassVar[str] = "clip"
    version: ClassVar[int] = 1
    cost: ClassVar[float] = 9000.0
    packages: ClassVar[tuple[str, ...]] = ()
    copies: ClassVar[CopyRules | None] = None

    def __post_init__(self) -> None:
        check_clip(self.name, self.clip_weights, self.clip_model, "embed.embedders")
        if self.count < 1:
            raise ValueError(f"count is {self.count}, wanted at least 1")

    @property
    def frames(self) -> FrameRequest:
        """A few frames, spread."""
        return FrameRequest("spread", self.count)

    def embed(self, clip: ClipInput) -> np.ndarray:
        """(1, D): the frames' embeddings, averaged."""
        return scale_to_one(self.network.embed_images(clip.frames).mean(dim=0, keepdim=True).float().numpy())

    def embed_text(self, text: str) -> np.ndarray:
        """(1, D) of a text, to be compared with clips."""
        return scale_to_one(self.network.embed_text(text).float().numpy())

    @cached_property
    def network(self) -> ClipModel:
        """The network, loaded once a process whoever asks for it."""
        return load_clip(self.name, self.clip_weights, self.clip_model)
