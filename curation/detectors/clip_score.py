"""Does the picture show what its caption says: cosine between CLIP's embeddings of frames and of the text that came with the file."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from curation.detectors.base import ClipInput, FrameRequest
from curation.detectors.clip_model import ClipModel, check_clip, load_clip


@dataclass(frozen=True)
class ClipDetector:
    """Text-video similarity of a clip. Captions that models write come after scoring: this judges the source's own."""

    clip_weights: Path
    """open_clip weights (.pt, .bin or .safetensors) of `clip_model`."""
    clip_model: str = "ViT-L-14-quickgelu"
    """open_clip's name of the architecture; OpenAI's weights need the quickgelu kind."""
    count: int = 4
    """Frames looked at, spread evenly; our decision."""

    name: ClassVar[str] = "clip"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {"clip.text_similarity": "cosine"}
    cost: ClassVar[float] = 9000.0
    packages: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        check_clip(self.name, self.clip_weights, self.clip_model)

    @property
    def frames(self) -> FrameRequest:
        """A few frames, spread."""
        return FrameRequest("spread", self.count)

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Mean cosine of the frames to the caption; nothing where the file came without one."""
        text = " ".join((clip.video.get("source_caption") or "").split())
        if not text or not clip.frames:
            return {}
        cosines = self._network.embed_images(clip.frames) @ self._network.embed_text(text).T
        return {"clip.text_similarity": float(cosines.mean())}

    @cached_property
    def _network(self) -> ClipModel:
        return load_clip(self.name, self.clip_weights, self.clip_model)
