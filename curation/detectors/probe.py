"""Size, shape, length and rate: facts of the file, as numbers that rules can bound."""

from dataclasses import dataclass
from typing import ClassVar

from curation.detectors.base import ClipInput, FrameRequest


@dataclass(frozen=True)
class ProbeDetector:
    """Geometry as displayed and the clip's own length."""

    name: ClassVar[str] = "probe"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {
        "probe.width": "px",
        "probe.height": "px",
        "probe.min_side": "px",
        "probe.aspect": "width over height",
        "probe.duration": "s",
        "probe.fps": "frames/s of the source",
        "probe.source_duration": "s, of the whole source",
    }
    cost: ClassVar[float] = 0.01
    packages: ClassVar[tuple[str, ...]] = ()
    frames: ClassVar[FrameRequest] = FrameRequest()

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Width, height, smaller side (px), aspect, duration (s) and frame rate.

        `probe.source_duration` is absent where the source's header does not say.
        """
        width, height = clip.clip.width, clip.clip.height
        duration = clip.video.get("duration")
        source = {} if duration is None else {"probe.source_duration": duration}
        return source | {
            "probe.width": width,
            "probe.height": height,
            "probe.min_side": min(width, height),
            "probe.aspect": width / height,
            "probe.duration": clip.clip.duration,
            "probe.fps": float(clip.clip.fps),
        }
