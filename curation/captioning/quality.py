"""How well a caption that was written says what the frames show: CLIP's cosine, sentence by sentence.

CLIP reads 77 tokens, a caption has about 100 words [S §3.2.1]: its sentences are judged one by one, so that none falls off the end and
the one that fits worst, which may be made up, has a number of its own. Sentence-wise judging is our decision; the paper gives no score.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from curation.detectors.base import ClipInput, FrameRequest
from curation.detectors.clip_model import ClipModel, check_clip, load_clip

from .sentences import split_sentences


@dataclass(frozen=True)
class QualityConfig:
    """CLIP's judgement of captions; without weights none is made."""

    clip_weights: Path | None = None
    """open_clip weights (.pt, .bin or .safetensors) of `clip_model`; None: captions are not judged."""
    clip_model: str = "ViT-L-14-quickgelu"
    """open_clip's name of the architecture."""
    count: int = 4
    """Frames looked at, spread evenly; our decision."""
    min_similarity: float | None = None
    """Captions with a lower `similarity` are not taken, and the next captioner gets the clip; None: all are taken. With OpenAI's CLIP
    right captions lie about 0.2 to 0.35, but look at your own before you choose."""
    choose: str = "first"
    """Of several captions of a clip: `first` in the order of the captioners, or `best` by similarity."""

    def __post_init__(self) -> None:
        if self.choose not in ("first", "best"):
            raise ValueError(f"caption.quality.choose is {self.choose!r}, wanted first or best")
        if self.clip_weights is None and (self.min_similarity is not None or self.choose == "best"):
            raise ValueError("caption.quality: min_similarity and choose: best want clip_weights too")


@dataclass(frozen=True)
class CaptionQuality:
    """Judges texts by the frames of their clip."""

    clip_weights: Path
    clip_model: str
    count: int

    name = "caption_quality"
    version = 1
    packages = ()

    def __post_init__(self) -> None:
        check_clip("quality", self.clip_weights, self.clip_model, "caption")

    @property
    def frames(self) -> FrameRequest:
        """A few frames, spread."""
        return FrameRequest("spread", self.count)

    def score(self, clip: ClipInput, text: str) -> dict[str, float]:
        """`similarity`, the mean of the sentences' mean cosines to the frames, and `weakest`, the lowest of these means."""
        import torch

        pictures = self._network.embed_images(clip.frames)
        sentences = torch.cat([self._network.embed_text(sentence) for sentence in split_sentences(text)])
        fits = (sentences @ pictures.T).mean(dim=1)
        return {"similarity": float(fits.mean()), "weakest": float(fits.min())}

    @cached_property
    def _network(self) -> ClipModel:
        return load_clip("caption.quality", self.clip_weights, self.clip_model)
