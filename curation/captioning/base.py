"""What a captioner is: it asks for frames as a detector does, and writes a text about a clip, or nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from curation.detectors.base import ClipInput, FrameRequest
from moviegen.errors import UsageError


@dataclass(frozen=True)
class Caption:
    """Text about a clip."""

    text: str
    camera_motion: str | None = None
    """Camera motion as the captioner saw it; None where it says nothing."""


@dataclass(frozen=True)
class Answer:
    """What a captioner said about one clip: a caption, nothing, or why it could not."""

    clip_id: str
    """The clip it is about: answers may come in any order."""
    caption: Caption | None = None
    error: Exception | None = None


@runtime_checkable
class Captioner(Protocol):
    """Writes about clips. A frozen dataclass: its fields are its parameters, fields that hold a `Path` are weights, and fields with
    `compare=False` change how it works but not what it says (an address, a timeout).

    Some more are optional. `needs_cleaning: ClassVar[bool]` (True where not said): its texts are a model's and go through the cleaner.
    `is_audio: ClassVar[bool]` (False where not said): it writes what is heard, in the six fields of `moviegen.contracts.audio_caption`,
    and its place is `caption.audio_captioners`.
    `caption_many(clips: Iterable[ClipInput]) -> Iterator[Answer]`: it takes clips as it has room for them and answers each once, in any
    order. A field `seed`: it can write several captions of the same clip.
    """

    name: ClassVar[str]
    """As in the `captioner` column, where the configuration gives it no other."""
    version: ClassVar[int]
    """Raised when the same clip and parameters give another text."""
    packages: ClassVar[tuple[str, ...]]
    """Distributions whose version changes the text."""

    @property
    def frames(self) -> FrameRequest:
        """The frames it wants to see."""

    def caption(self, clip: ClipInput) -> Caption | None:
        """The caption, or None where it has nothing to say."""


def caption_clips(captioner: Captioner, clips: Iterable[ClipInput]) -> Iterator[Answer]:
    """An answer for each clip: from the captioner's `caption_many` where it has one, else one clip after another.

    A UsageError is the user's to mend and passes; what else is raised about a clip is its answer.
    """
    if hasattr(captioner, "caption_many"):
        yield from captioner.caption_many(clips)
        return
    for clip in clips:
        yield answer_one(captioner, clip)


def answer_one(captioner: Captioner, clip: ClipInput) -> Answer:
    """The answer about one clip. Raises UsageError only."""
    try:
        return Answer(clip.clip.clip_id, captioner.caption(clip))
    except UsageError:
        raise
    except Exception as error:
        return Answer(clip.clip.clip_id, error=error)
