"""Which samples make batch number i: one bucket a batch, the same on all ranks, from the seed and i alone.

Nothing is remembered between batches, so a resumed run, a run on another number of ranks and a run without prefetching see the
same batches: the loader's whole state is one number. An epoch is a bucket's: all its samples once.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from moviegen.contracts.bucket import Bucket, decode_bucket, encode_bucket
from moviegen.contracts.clip import hash_id
from moviegen.errors import UsageError

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

    number: int = 0
    """Batches of this bucket before it."""
    num_members: int = 0
    """Samples of its bucket."""

    def slice(self, rank: int, world_size: int) -> "BatchSpec":
        """The part of one rank; where the size does not divide, the first ranks have one sample more."""
        return self.of(self.samples[rank::world_size], self.frames[rank::world_size])

    def of(self, samples: tuple[int, ...], frames: tuple[float, ...]) -> "BatchSpec":
        """The same batch with other samples."""
        return BatchSpec(self.index, self.bucket, samples, frames, self.number, self.num_members)

    @property
    def epoch(self) -> float:
        """How often the samples of its bucket have been visited when it is done."""
        return (self.number + 1) * len(self.samples) / max(1, self.num_members)

    @property
    def digest(self) -> str:
        """Hash of what it holds: equal on every number of ranks and workers."""
        return hash_id(self.index, encode_bucket(self.bucket), self.samples, self.frames)


class BatchPlan:
    """Batch number -> bucket and samples.

    Each bucket is an endless stream: all its samples in a random order, then all of them in another. Batches are cut from it, so
    every batch is full and, at any moment, two samples of a bucket have been visited equally often to within one. Buckets
    take turns in proportion to their samples.
    """

    def __init__(self, buckets: Sequence[str], sizes: Mapping[str, int], mix: BatchMix, seed: int) -> None:
        """`buckets`: the bucket key of each sample; `sizes`: batch size by bucket key, of images (`-f1`) and videos.

        Samples that are images are in batches of images, beside single frames of videos. Raises UsageError when the mix leaves
        samples without batches, or batches without samples.
        """
        if not buckets:
            raise ValueError("a plan needs at least one sample")
        self._mix, self._seed, self._sizes = mix, seed, dict(sizes)
        keys = np.array(buckets)
        video = {key: np.flatnonzero(keys == key) for key in sorted(set(buckets))}
        image: dict[str, np.ndarray] = {}
        for key, members in video.items():
            name = image_bucket(key)
            image[name] = np.sort(np.concatenate([image[name], members])) if name in image else members
        video = {key: members for key, members in video.items() if not decode_bucket(key).is_image}
        _check_mix(mix, video, len(buckets))
        self._streams = {_VIDEO: video, _IMAGE: image}
        kinds = (_VIDEO, _IMAGE) if video else (_IMAGE,)
        self._turns = {kind: _Turns(self._weights(kind), (seed, kind)) for kind in kinds}

    def _weights(self, kind: int) -> dict[str, float]:
        return {key: len(members) / max(1, self._sizes[key]) for key, members in self._streams[kind].items()}

    def step_shares(self) -> dict[str, float]:
        """Share of the steps of each bucket that gets any."""
        total = self._mix.image + self._mix.video
        parts = {_VIDEO: self._mix.video / total, _IMAGE: self._mix.image / total}
        shares: dict[str, float] = {}
        for kind in (kind for kind in self._turns if parts[kind]):
            weights = self._weights(kind)
            shares |= {key: parts[kind] * weight / sum(weights.values()) for key, weight in weights.items()}
        return shares

    def spec(self, index: int) -> BatchSpec:
        """The global batch of that number."""
        images = self._mix.num_images_before(index)
        kind, turn = (_IMAGE, images) if self._mix.is_image(index) else (_VIDEO, index - images)
        key, number = self._turns[kind].turn(turn)
        size, members = self._sizes[key], self._streams[kind][key]
        samples = self._samples(kind, key, number * size, size)
        frames = tuple(_rng(self._seed, _FRAME, index).random(size)) if kind == _IMAGE else ()
        return BatchSpec(index, _bucket(key), samples, frames, number, len(members))

    def _samples(self, kind: int, key: str, begin: int, size: int) -> tuple[int, ...]:
        """`size` samples of a bucket's stream, from number `begin` on."""
        members, found = self._streams[kind][key], []
        while size:
            number, place = divmod(begin, len(members))
            order = _shuffled(self._seed, kind, key, number, len(members))[place : place + size]
            found += members[order].tolist()
            begin, size = begin + len(order), size - len(order)
        return tuple(found)


def _check_mix(mix: BatchMix, video: Mapping[str, np.ndarray], num_samples: int) -> None:
    """Raises UsageError when a kind of sample is never used or a kind of batch has no sample."""
    num_videos = sum(map(len, video.values()))
    if mix.video and not num_videos:
        raise UsageError(f"mix {mix.image}:{mix.video} wants batches of videos, all {num_samples} samples are images")
    if num_videos < num_samples and not mix.image:
        raise UsageError(
            f"mix {mix.image}:{mix.video} has no batches of images, so {num_samples - num_videos} of {num_samples} samples would never "
            "be used; give mix.image, or choose a subset of videos"
        )


class _Turns:
    """Turn number -> (bucket, how many turns it had before), each bucket in proportion to its weight."""

    def __init__(self, weights: dict[str, float], seed: tuple[int, ...]) -> None:
        self._keys = list(weights)
        shares = np.array([weights[key] for key in self._keys])
        self._bounds = np.cumsum(shares / shares.sum()) * BLOCK
        self._bounds[-1] = BLOCK
        self._seed = seed
        self._before = [np.zeros(len(self._keys), dtype=np.int64)]
        self._known = -1, np.zeros(0, dtype=np.int64)
        """The block last asked for: most turns are of the same."""

    def turn(self, number: int) -> tuple[str, int]:
        block, place = divmod(number, BLOCK)
        while len(self._before) <= block:
            last = len(self._before) - 1
            self._before.append(self._before[last] + np.bincount(self._block(last), minlength=len(self._keys)))
        order = self._block(block).tolist()
        bucket = order[place]
        return self._keys[bucket], int(self._before[block][bucket]) + order[:place].count(bucket)

    def _block(self, number: int) -> np.ndarray:
        """Bucket of each turn of a block: systematic sampling (unbiased, each count within one of its share), then shuffled."""
        if number != self._known[0]:
            rng = _rng(*self._seed, _BUCKETS, number)
            order = np.searchsorted(self._bounds, np.arange(BLOCK) + rng.random(), side="right")
            self._known = number, rng.permutation(np.minimum(order, len(self._keys) - 1))
        return self._known[1]


_bucket = lru_cache(maxsize=1024)(decode_bucket)


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
