"""What a captioner is: it asks for frames as a detector does, and writes a text about a clip, or nothing."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from curation.detectors.base import ClipInput, FrameRequest


@dataclass(frozen=True)
class Caption:
    """Text about a clip."""

    text: str
    camera_motion: str | None = None
    """Camera motion when confident."""


@runtime_checkable
class Captioner(Protocol):
    """Writes about clips. A frozen dataclass: its fields are its parameters, fields that hold a `Path` are weights."""

    name: ClassVar[str]
    """As in the `captioner` column."""
    version: ClassVar[int]
    """Raised when the same clip and parameters give another text."""
    packages: ClassVar[tuple[str, ...]]
    """Distributions whose version changes the text."""

    @property
    def frames(self) -> FrameRequest:
        """The frames it wants to see."""

    def caption(self, clip: ClipInput) -> Caption | None:
        """The caption, or None where it has nothing to say."""
