"""What a detector is: it says which numbers it yields and which frames it needs, and turns a clip into those numbers.

A detector is a frozen dataclass: its fields are its parameters (what YAML may set), fields that hold a `Path` are weights. It knows
nothing of thresholds. What it loads, it loads on first use and keeps.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from moviegen.contracts.bucket import sample_frame_indices
from moviegen.contracts.clip import Clip
from moviegen.errors import UsageError
from moviegen.media.audio import Sound


@dataclass(frozen=True)
class AudioRequest:
    """How a detector wants to hear a clip."""

    sample_rate: int | None = None
    """Hz; None: the file's own, nothing is resampled."""
    is_mono: bool = False
    """Channels mixed to one; else those of the file."""


@dataclass(frozen=True)
class FrameRequest:
    """Which frames of a clip a detector wants to see, and whether it wants to hear it."""

    where: Literal["none", "middle", "spread", "adaptive", "rate"] = "none"
    """`none`, the `middle` one, `count` of them `spread` evenly, `adaptive`: denser where the picture changes, or at a `rate`."""
    count: int = 0
    """Frames, for `spread` and `adaptive`; fewer where the clip has fewer."""
    max_side_px: int | None = None
    """Longer side is scaled down to this; never up."""
    audio: AudioRequest | None = None
    """The clip's sound; None: not wanted."""
    per_second: float = 1.0
    """Frames a second of the clip, for `rate`: clips of any length and frame rate are looked at in the same steps of time."""

    @property
    def needs_file(self) -> bool:
        """Must the file be opened for it? What needs only the tables costs nothing."""
        return self.where != "none" or self.audio is not None

    def indices(self, num_frames: int, signals: dict[str, np.ndarray] | None = None) -> list[int]:
        """Places of the frames wanted in a clip of `num_frames`, from 0, in order. `adaptive` asks its `signals`."""
        if self.where == "none":
            return []
        if self.where == "middle":
            return [num_frames // 2]
        if self.where == "adaptive":
            return adaptive_indices(signals["motion"], self.count)
        if self.where == "rate":
            return rate_indices(signals["pts_s"], self.per_second)
        return sample_frame_indices(num_frames, min(self.count, num_frames))


def adaptive_indices(motion: np.ndarray, count: int) -> list[int]:
    """`count` places in a clip, both ends among them, denser where the picture changes; all places where it has fewer.

    Equal steps of time, change and sudden change, a third each. `motion` is (num_frames,), the change from the frame before in luma
    levels. The paper samples "adaptively" [S App B.1]; this is our decision: a frame just after what comes up at once, such as a
    subtitle, more of them where much moves, and never further apart than three even steps.
    """
    num_frames = len(motion)
    if count < 2 or count >= num_frames:
        return sample_frame_indices(num_frames, min(count, num_frames))
    change = np.nan_to_num(motion[1:].astype(np.float64))
    pace = np.cumsum(_shares(np.ones_like(change)) + _shares(change) + _shares(_sudden(change)))
    targets = pace[-1] * np.arange(1, count - 1) / (count - 1) - 1e-9  # rounding must not push a step to the next frame
    chosen = {0, num_frames - 1, *(1 + np.searchsorted(pace, targets)).tolist()}
    while len(chosen) < count:  # steps that fell on one sudden change are spent on the longest gap
        before, after = max(pairwise(sorted(chosen)), key=lambda gap: gap[1] - gap[0])
        chosen.add((before + after) // 2)
    return sorted(chosen)


def rate_indices(pts_s: np.ndarray, per_second: float) -> list[int]:
    """Places nearest to the middles of equal steps of time, in order, at least one. `pts_s` (num_frames,) are the frames' times.

    A last step that is not whole has no frame; where frames are rarer than steps, one may come more than once: a place in this list is
    a place in time.
    """
    seconds = np.asarray(pts_s, np.float64) - float(pts_s[0])
    usual = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
    num_steps = max(
        1, int((seconds[-1] + usual) * per_second + 1e-3)
    )  # times are float32: hours into a film, half a millisecond
    middles = (np.arange(num_steps) + 0.5) / per_second
    after = np.searchsorted(seconds, middles).clip(0, len(seconds) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.where(middles - seconds[before] <= seconds[after] - middles, before, after)
    return nearer.tolist()


def _sudden(change: np.ndarray) -> np.ndarray:
    """What stands out of the median of the nine frames around; nothing near the first frame, which is looked at anyway."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(change, 4, mode="edge"), 9)
    sudden = np.maximum(change - np.median(around, axis=1), 0)
    sudden[:2] = 0
    return sudden


def _shares(change: np.ndarray) -> np.ndarray:
    """Shares of one; of less where all of it is less than one level: a still clip has nothing to be dense about."""
    return change / max(1.0, change.sum())


@dataclass(frozen=True)
class ClipInput:
    """A clip as a detector or captioner sees it."""

    clip: Clip
    video: dict
    """Row of the `videos` table."""
    signals: dict[str, np.ndarray]
    """The clip's frames of the `signals` table: (num_frames,) a column; see `curation.signals.slice_signals`."""
    frames: list[np.ndarray] = field(default_factory=list)
    """The frames asked for, (H, W, 3) uint8 RGB as displayed."""
    audio: Sound | None = None
    """The sound asked for, of exactly the clip's span, with silence where the file has a hole; None where it has no audio stream."""


@runtime_checkable
class Detector(Protocol):
    """Turns a clip into named numbers."""

    name: ClassVar[str]
    """Prefix of its metrics."""
    version: ClassVar[int]
    """Raised when the same clip and parameters give other numbers."""
    metrics: ClassVar[dict[str, str]]
    """Metric -> unit."""
    cost: ClassVar[float]
    """CPU milliseconds a clip, roughly: cheap detectors run first."""
    packages: ClassVar[tuple[str, ...]]
    """Distributions that bring its weights: their versions are part of the detector's."""

    @property
    def frames(self) -> FrameRequest:
        """The frames it wants to see, and the sound it wants to hear."""

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Metric -> number. A metric that cannot be measured on this clip is absent, never made up."""


def check_weights(name: str, field_name: str, path: Path, what: str, section: str = "score.detectors") -> None:
    """Raises UsageError saying what to put where when a weights file is not there. `section` of the YAML names the tool."""
    if not path.is_file():
        raise UsageError(
            f"{_kind(section)} {name}: no file {path}. Put {what} there, or say where it is: "
            f"{section}.{name}.{field_name}. Without it, take {name} out of {section}."
        )


def _kind(section: str) -> str:
    """`detector` of `score.detectors`."""
    return section.rpartition(".")[2].removesuffix("s")


def check_package(name: str, module: str, install: str, section: str = "score.detectors") -> None:
    """Raises UsageError with the pip line when a package is not installed."""
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise UsageError(f"{_kind(section)} {name} needs the package {module}: {install}")
