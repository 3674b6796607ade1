"""The text that came with the file: a sidecar .txt or .json, as ingest found it."""

from dataclasses import dataclass
from typing import ClassVar

from curation.captioning.base import Caption
from curation.detectors.base import ClipInput, FrameRequest


@dataclass(frozen=True)
class SourceCaptioner:
    """The source's own caption, for every clip of it."""

    name: ClassVar[str] = "source"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ()
    needs_cleaning: ClassVar[bool] = False
    frames: ClassVar[FrameRequest] = FrameRequest()

    def caption(self, clip: ClipInput) -> Caption | None:
        """The text with its white space tidied; None where the file came without one."""
        text = " ".join((clip.video.get("source_caption") or "").split())
        return Caption(text) if text else None
