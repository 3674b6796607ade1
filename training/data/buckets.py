"""Which samples make batch number i: one bucket a batch, the same on all ranks, from the seed and i alone.

Nothing is remembered between batches, so a resumed run, a run on another number of ranks and a run without prefetching see the
same batches: the loader's whole state is one number.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from moviegen.contracts.bucket import Bucket, BucketSet, decode_bucket, encode_bucket

BLOCK = 64
"""Batches in which each bucket gets its share to within one batch: our decision."""

_VIDEO, _IMAGE, _ORDER, _BUCKETS, _FRAME = range(5)


@dataclass(frozen=True)
class BatchMix:
    """Image batches to video batches, as in `1 : 3` for the TAE [S §3.1.1] and `1 : 10` for the DiT [S Table 3]."""

    image: int = 0
    video: int = 1

    def __post_init__(self) -> None:
        if min(self.image, self.video) < 0 or self.image + self.video < 1:
            raise ValueError(f"mix {self.image}:{self.video}: wanted two whole numbers, not both 0")

    def num_images_before(self, index: int) -> int:
        """How many of the first `index` batches hold images; spread evenly."""
        return index * self.image // (self.image + self.video)

    def is_image(self, index: int) -> bool:
        """Whether batch number `index` holds images."""
        return self.num_images_before(index + 1) > self.num_images_before(index)


@dataclass(frozen=True)
class BatchSpec:
    """One global batch before it is loaded."""

    index: int
    bucket: Bucket
    samples: tuple[int, ...]
    """Positions in the plan's list of samples."""
    frames: tuple[float, ...]
    """For images: where in the clip the frame is taken, in [0, 1); empty for video."""

    def slice(self, rank: int, world_size: int) -> "BatchSpec":
        """The part of one rank; all ranks get the same number of samples when the size divides."""
        return BatchSpec(self.index, self.bucket, self.samples[rank::world_size], self.frames[rank::world_size])


def num_tokens(bucket: Bucket, buckets: BucketSet, resolution: int) -> int:
    """Tokens of one sample: ceil(T / 8) x H / 16 x W / 16 [S §3.1.1, §3.1.3]."""
    width, height = buckets.frame_size(bucket, resolution)
    return -(-bucket.num_frames // 8) * (height // 16) * (width // 16)


def batch_size(tokens_per_sample: int, tokens_per_batch: int, world_size: int) -> int:
    """Samples in a global batch of at most `tokens_per_batch` tokens: a multiple of the ranks, at least one a rank."""
    return max(1, tokens_per_batch // tokens_per_sample // world_size) * world_size


class BatchPlan:
    """Batch number -> bucket and samples.

    Each bucket is an endless stream: all its samples in a random order, then all of them in another. Batches are cut from it, so
    every batch is full and, at any moment, two samples of a bucket have been visited equally often to within one. Buckets
    take turns in proportion to their samples.
    """

    def __init__(self, buckets: Sequence[str], sizes: Mapping[str, int], mix: BatchMix, seed: int) -> None:
        """`buckets`: the bucket key of each sample; `sizes`: batch size by bucket key, of images (`-f1`) and videos."""
        if not buckets:
            raise ValueError("a plan needs at least one sample")
        self._mix, self._seed, self._sizes = mix, seed, dict(sizes)
        keys = np.array(buckets)
        video = {key: np.flatnonzero(keys == key) for key in sorted(set(buckets))}
        image: dict[str, np.ndarray] = {}
        for key, members in video.items():
            name = image_bucket(key)
            image[name] = np.sort(np.concatenate([image[name], members])) if name in image else members
        self._streams = {_VIDEO: video, _IMAGE: image}
        self._turns = {kind: _Turns(self._weights(kind), (seed, kind)) for kind in (_VIDEO, _IMAGE)}

    def _weights(self, kind: int) -> dict[str, float]:
        return {key: len(members) / self._sizes[key] for key, members in self._streams[kind].items()}

    def spec(self, index: int) -> BatchSpec:
        """The global batch of that number."""
        images = self._mix.num_images_before(index)
        kind, turn = (_IMAGE, images) if self._mix.is_image(index) else (_VIDEO, index - images)
        key, number = self._turns[kind].turn(turn)
        size, members = self._sizes[key], self._streams[kind][key]
        places = range(number * size, (number + 1) * size)
        samples = tuple(
            int(members[_shuffled(self._seed, kind, key, p // len(members), len(members))[p % len(members)]])
            for p in places
        )
        frames = tuple(_rng(self._seed, _FRAME, index).random(size)) if kind == _IMAGE else ()
        return BatchSpec(index, decode_bucket(key), samples, frames)


class _Turns:
    """Turn number -> (bucket, how many turns it had before), each bucket in proportion to its weight."""

    def __init__(self, weights: dict[str, float], seed: tuple[int, ...]) -> None:
        self._keys = list(weights)
        shares = np.array([weights[key] for key in self._keys])
        self._bounds = np.cumsum(shares / shares.sum()) * BLOCK
        self._bounds[-1] = BLOCK
        self._seed = seed
        self._before = [np.zeros(len(self._keys), dtype=np.int64)]

    def turn(self, number: int) -> tuple[str, int]:
        block, place = divmod(number, BLOCK)
        while len(self._before) <= block:
            last = len(self._before) - 1
            self._before.append(self._before[last] + np.bincount(self._block(last), minlength=len(self._keys)))
        order = self._block(block)
        bucket = int(order[place])
        return self._keys[bucket], int(self._before[block][bucket] + np.count_nonzero(order[:place] == bucket))

    def _block(self, number: int) -> np.ndarray:
        """Bucket of each turn of a block: systematic sampling (unbiased, each count within one of its share), then shuffled."""
        rng = _rng(*self._seed, _BUCKETS, number)
        order = np.searchsorted(self._bounds, np.arange(BLOCK) + rng.random(), side="right")
        return rng.permutation(np.minimum(order, len(self._keys) - 1))


@lru_cache(maxsize=64)
def _shuffled(seed: int, kind: int, key: str, number: int, length: int) -> np.ndarray:
    """Order of a bucket's samples in its pass of that number."""
    return _rng(seed, _ORDER, kind, zlib.crc32(key.encode()), number).permutation(length)


def _rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def image_bucket(key: str) -> str:
    """The image bucket of the same aspect."""
    bucket = decode_bucket(key)
    return encode_bucket(Bucket(bucket.aspect_width, bucket.aspect_height, 1))
