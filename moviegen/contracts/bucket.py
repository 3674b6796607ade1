"""Buckets: a clip's shape (aspect, frame count), kept apart from a stage's size (resolution).

The paper has five aspect buckets, of which it names 1024x576 and 576x1024, and five duration buckets [S §3.2.1, Table 2].
The other three sizes are our decision.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

FRAME_SIZE_MULTIPLE = 16
"""Pixels: 8 (TAE) x 2 (patch), so that a frame is a whole number of tokens [S §3.1.1, §3.1.3]."""

REFERENCE_RESOLUTION = 768
"""The resolution at which aspect buckets are written down: the side of the square of equal area."""

_BUCKET_KEY = re.compile(r"(\d+)x(\d+)-f(\d+)")


@dataclass(frozen=True)
class Bucket:
    """Aspect (a ratio of small whole numbers) and frame count. An image is a video of one frame."""

    aspect_width: int
    aspect_height: int
    num_frames: int

    def __post_init__(self) -> None:
        if min(self.aspect_width, self.aspect_height, self.num_frames) < 1:
            raise ValueError(f"bucket {self}: aspect and num_frames are at least 1")

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.aspect_width / self.aspect_height

    @property
    def is_image(self) -> bool:
        """One frame."""
        return self.num_frames == 1


def encode_bucket(bucket: Bucket) -> str:
    """The bucket's key, as in paths and the shards table: `16x9-f128`."""
    return f"{bucket.aspect_width}x{bucket.aspect_height}-f{bucket.num_frames}"


def decode_bucket(key: str) -> Bucket:
    """The bucket of a key; the inverse of `encode_bucket`. Raises ValueError on anything else."""
    match = _BUCKET_KEY.fullmatch(key)
    if match is None:
        raise ValueError(f"{key!r} is no bucket key; one looks like '16x9-f128'")
    return Bucket(*map(int, match.groups()))


@dataclass(frozen=True)
class AspectBucket:
    """An aspect as its ratio and its frame size at resolution 768."""

    aspect_width: int
    aspect_height: int
    width: int
    height: int


@dataclass(frozen=True)
class DurationBucket:
    """Clips of `min_s <= duration < max_s` become `num_frames` frames, spread evenly over the clip [S Table 2]."""

    min_s: float
    max_s: float
    num_frames: int


PAPER_ASPECTS = (
    AspectBucket(16, 9, 1024, 576),
    AspectBucket(4, 3, 880, 656),
    AspectBucket(1, 1, 768, 768),
    AspectBucket(3, 4, 656, 880),
    AspectBucket(9, 16, 576, 1024),
)
"""1024x576 and 576x1024 are the paper's [S §3.2.1]; the three between are ours."""


@dataclass(frozen=True)
class BucketSet:
    """The buckets of a dataset: every aspect with every duration."""

    aspects: tuple[AspectBucket, ...]
    durations: tuple[DurationBucket, ...]

    def __post_init__(self) -> None:
        if not self.aspects or not self.durations:
            raise ValueError("a bucket set needs at least one aspect and one duration")
        for before, after in zip(self.durations, self.durations[1:], strict=False):
            if after.min_s < before.max_s:
                raise ValueError(f"duration buckets overlap: {before} and {after}")

    def frame_size(self, bucket: Bucket, resolution: int) -> tuple[int, int]:
        """(width, height) in pixels of a bucket at a stage's resolution, each a multiple of 16."""
        for aspect in self.aspects:
            if (aspect.aspect_width, aspect.aspect_height) == (bucket.aspect_width, bucket.aspect_height):
                return frame_size(aspect, resolution)
        raise ValueError(f"{encode_bucket(bucket)}: its aspect is in none of {[_name(a) for a in self.aspects]}")


def _name(aspect: AspectBucket) -> str:
    return f"{aspect.aspect_width}x{aspect.aspect_height}"


def frame_size(aspect: AspectBucket, resolution: int) -> tuple[int, int]:
    """(width, height) in pixels at a resolution: the size at 768 scaled, each side rounded to a multiple of 16."""
    if resolution < FRAME_SIZE_MULTIPLE:
        raise ValueError(f"resolution {resolution} is below {FRAME_SIZE_MULTIPLE} px")

    def scale(side: int) -> int:
        steps = side * resolution / REFERENCE_RESOLUTION / FRAME_SIZE_MULTIPLE
        return max(1, math.floor(steps + 0.5)) * FRAME_SIZE_MULTIPLE

    return scale(aspect.width), scale(aspect.height)


def nearest_aspect(width: int, height: int, aspects: Sequence[AspectBucket]) -> AspectBucket:
    """The aspect whose ratio is nearest on a log scale; the first of two equally near."""
    if width < 1 or height < 1:
        raise ValueError(f"frame size {width}x{height}: both sides are at least 1 px")
    return min(aspects, key=lambda a: abs(math.log(width / height) - math.log(a.width / a.height)))


def assign_bucket(width: int, height: int, duration: float, buckets: BucketSet) -> Bucket | None:
    """The bucket of a clip of that display size (px) and duration (s), or None when no duration bucket takes it."""
    aspect = nearest_aspect(width, height, buckets.aspects)
    for row in buckets.durations:
        if row.min_s <= duration < row.max_s:
            return Bucket(aspect.aspect_width, aspect.aspect_height, row.num_frames)
    return None


def sample_frame_indices(num_source: int, num_frames: int) -> list[int]:
    """`num_frames` indices spread evenly over `0 .. num_source - 1`, the middle of each of `num_frames` equal spans.

    A fixed number of frames over the whole clip: frames per second = num_frames / duration [S Table 2].
    """
    if num_source < 1 or num_frames < 1:
        raise ValueError(f"cannot take {num_frames} frames of {num_source}")
    return [min(num_source - 1, (2 * i + 1) * num_source // (2 * num_frames)) for i in range(num_frames)]
