"""The audio caption in the paper's six-field template [S Table 26], from a tagger and a quality predictor, both by path.

No field of it is known without a model, so there is no default: a captioner without weights is an error, a clip without sound has no
audio caption. Its place is `caption.audio_captioners`: what it writes stands beside the video's caption, never in its stead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from curation.audio_caption import audio_caption
from curation.captioning.base import Caption
from curation.detectors.audio_quality import INTERFACE, load_quality
from curation.detectors.audio_tagger import Tagger, check_tagger, load_tagger, tagger_rate
from curation.detectors.base import AudioRequest, ClipInput, FrameRequest
from curation.detectors.torchscript import check_torchscript
from moviegen.contracts.audio_caption import encode_audio_caption
from moviegen.errors import UsageError
from moviegen.media.audio import Sound, resample

_WHO = "captioner audio_template"


@dataclass(frozen=True)
class AudioTemplateCaptioner:
    """Writes what is heard: quality, speech, singing, sounds, music."""

    tagger: Path
    """Folder of a transformers audio classifier with AudioSet's labels, such as AST (save_pretrained)."""
    quality_weights: Path
    """TorchScript module as detector `audio_quality` takes it: samples (1, N) -> one number, 1 to 10."""
    quality_sample_rate: int = 16000
    """Hz that the quality predictor hears at."""

    name: ClassVar[str] = "audio_template"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("transformers",)
    is_audio: ClassVar[bool] = True
    needs_cleaning: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_tagger(_WHO, self.tagger)
        check_torchscript(_WHO, "quality_weights", self.quality_weights, INTERFACE)

    @property
    def frames(self) -> FrameRequest:
        """The sound, at the higher of the two models' rates."""
        return FrameRequest(audio=AudioRequest(max(self._tagger_rate, self.quality_sample_rate), is_mono=True))

    def caption(self, clip: ClipInput) -> Caption | None:
        """The six fields as one text; None where there is no sound, or where silence is what is heard."""
        if clip.audio is None or not clip.audio.samples.any():
            return None
        tags = self._tag(self._at(clip.audio, self._tagger_rate))
        quality = self._rate(self._at(clip.audio, self.quality_sample_rate))
        try:
            fields = audio_caption(tags, quality)
        except ValueError as error:
            raise UsageError(f"{_WHO}: {self.tagger}: {error}") from error
        return None if fields is None else Caption(encode_audio_caption(fields))

    @staticmethod
    def _at(sound: Sound, sample_rate: int) -> np.ndarray:
        return resample(sound, sample_rate).samples[0]

    @property
    def _tagger_rate(self) -> int:
        return tagger_rate(_WHO, self.tagger)

    @cached_property
    def _tag(self) -> Tagger:
        return load_tagger(_WHO, self.tagger)

    @cached_property
    def _rate(self) -> Callable[[np.ndarray], float]:
        return load_quality(_WHO, self.quality_weights, self.quality_sample_rate)
