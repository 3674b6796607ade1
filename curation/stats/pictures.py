"""Pictures of clips for a page: each decoded once, and no more of them than the page may weigh."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moviegen.contracts.lake import Lake

from .frames import clip_frames
from .thumbnails import thumbnails

if TYPE_CHECKING:
    import duckdb

BUDGET_BYTES = 8_000_000
"""Of all pictures of a page; the rest of it is text."""


@dataclass(frozen=True)
class Thumb:
    """A clip as it is shown."""

    clip_id: str
    images: tuple[str, ...]
    """Data URLs of its frames; none when the source is gone."""
    words: str
    """Score and reason, or the caption."""


@dataclass
class Pictures:
    """Gives thumbnails of a lake's clips."""

    connection: "duckdb.DuckDBPyConnection"
    lake: Lake
    budget_bytes: int = BUDGET_BYTES
    num_left_out: int = 0
    """Clips that were not shown because the page is full."""
    _made: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def strip(self, clip_id: str, words: str = "") -> Thumb:
        """Three frames of a clip."""
        return Thumb(clip_id, self._paid(self._images(clip_id)), words)

    def frame(self, clip_id: str, words: str = "") -> Thumb:
        """The frame in the middle of a clip."""
        images = self._images(clip_id)
        return Thumb(clip_id, self._paid(images[len(images) // 2 :][:1]), words)

    def made(self, clip_id: str) -> str:
        """The frame in the middle of a clip that is shown elsewhere; empty for others."""
        return next(iter(self.frame(clip_id).images), "") if self._made.get(clip_id) else ""

    def _images(self, clip_id: str) -> tuple[str, ...]:
        if self.budget_bytes <= 0:
            return ()
        if clip_id not in self._made:
            frames = clip_frames(self.connection, self.lake, clip_id)
            self._made[clip_id] = thumbnails(*frames) if frames else ()
        return self._made[clip_id]

    def _paid(self, images: tuple[str, ...]) -> tuple[str, ...]:
        """The images if there is room for them: a picture in two places weighs twice."""
        size = sum(map(len, images))
        if self.budget_bytes <= 0 or size > self.budget_bytes:
            self.budget_bytes = 0
            self.num_left_out += 1
            return ()
        self.budget_bytes -= size
        return images
