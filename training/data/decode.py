"""A sample's bytes -> frames at the stage's frame size -> a tensor. Media is opened by moviegen.media only."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from moviegen.contracts.bucket import sample_frame_indices
from moviegen.contracts.sample import SampleMeta
from moviegen.errors import MovieGenError


def decode_clip(media: bytes, suffix: str, meta: SampleMeta, num_frames: int, size: tuple[int, int]) -> np.ndarray:
    """(T, H, W, 3) uint8: `num_frames` frames spread evenly over the clip, scaled and centre-cropped to `size` = (width, height) px.

    A `.jpg` is one frame. Raises MovieGenError naming the clip when its media is of another kind than its bucket.
    """
    from moviegen.media.read import read_image, read_video

    if suffix == "jpg" and num_frames == 1:
        return read_image(media, size=size)[None]
    if suffix != "mp4":
        raise MovieGenError(
            f"clip {meta.clip_id}: a .{suffix} sample in a bucket of {num_frames} frames; videos are .mp4, images .jpg in a bucket "
            "of 1 frame: choose another subset with --data.subset"
        )
    return read_video(media, indices=sample_frame_indices(meta.num_frames, num_frames), size=size)


def to_tensor(frames: np.ndarray) -> Tensor:
    """(3, T, H, W) float32 in [-1, 1] of (T, H, W, 3) uint8 frames; moviegen.pipelines.video turns it back."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2).float().div(127.5).sub(1.0)


@dataclass(frozen=True)
class DecodedClip:
    """A clip as its bucket wants it."""

    frames: np.ndarray
    """(T, H, W, 3) uint8."""
    fps: float
    """Frames per second of these frames."""

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.frames.nbytes


class Sized(Protocol):
    """What knows how much memory it takes, as an array does."""

    @property
    def nbytes(self) -> int:
        """Bytes."""
        ...


Clip = TypeVar("Clip", bound=Sized)


class ClipCache(Generic[Clip]):
    """Decoded clips kept in memory until `max_bytes` are used; what comes later is decoded each time.

    No eviction: a loader visits every clip once a pass, and a cache that evicts the oldest would then never hit.
    """

    def __init__(self, max_bytes: int) -> None:
        self._free_bytes = max_bytes
        self._clips: dict[Hashable, Clip] = {}

    def get(self, key: Hashable) -> Clip | None:
        """The clip kept under that key, or None."""
        return self._clips.get(key)

    def has_room(self, num_bytes: int) -> bool:
        """Whether a clip of that size would be kept."""
        return num_bytes <= self._free_bytes

    def put(self, key: Hashable, clip: Clip) -> None:
        """Keeps a clip while there is room."""
        if key not in self._clips and self.has_room(clip.nbytes):
            self._clips[key] = clip
            self._free_bytes -= clip.nbytes


def frame_rate(num_frames: int, duration: float) -> float:
    """Frames per second of `num_frames` frames spread over `duration` seconds [S Table 2]; 0 for an image."""
    return 0.0 if num_frames == 1 else num_frames / duration
