"""What is heard: speech, singing, music, silence, other sounds, by an AudioSet tagger in a folder [S §6.2.2: audio event detection]."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from curation.detectors.audio_tagger import Tagger, check_tagger, load_tagger, tagger_rate
from curation.detectors.audioset import strongest
from curation.detectors.base import AudioRequest, ClipInput, FrameRequest


@dataclass(frozen=True)
class SoundTagsDetector:
    """How probable it is that someone speaks, sings, that there is music, silence, or another sound."""

    tagger: Path
    """Folder of a transformers audio classifier with AudioSet's labels, such as AST (save_pretrained)."""

    name: ClassVar[str] = "sound_tags"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {
        "sound_tags.speech": "0..1",
        "sound_tags.singing": "0..1",
        "sound_tags.music": "0..1",
        "sound_tags.silence": "0..1",
        "sound_tags.sound": "0..1",
    }
    cost: ClassVar[float] = 900.0
    packages: ClassVar[tuple[str, ...]] = ("transformers",)

    def __post_init__(self) -> None:
        check_tagger(f"detector {self.name}", self.tagger)

    @property
    def frames(self) -> FrameRequest:
        """The sound, at the tagger's rate."""
        return FrameRequest(audio=AudioRequest(tagger_rate(f"detector {self.name}", self.tagger), is_mono=True))

    def score(self, clip: ClipInput) -> dict[str, float]:
        """The most probable label of each kind; nothing where the file has no audio stream, no kind that the tagger knows no label of."""
        if clip.audio is None:
            return {}
        found = strongest(self._tag(clip.audio.samples[0]))
        return {f"{self.name}.{kind}": share for kind, share in found.items() if f"{self.name}.{kind}" in self.metrics}

    @cached_property
    def _tag(self) -> Tagger:
        return load_tagger(f"detector {self.name}", self.tagger)
