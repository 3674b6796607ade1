"""Where batches come from: shards (decoded here) or cached latents."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from moviegen.contracts.bucket import Bucket, BucketSet, decode_bucket, encode_bucket
from moviegen.errors import UsageError
from training.data.batch import Batch
from training.data.buckets import BatchSpec, image_bucket
from training.data.decode import ClipCache, DecodedClip, decode_clip, frame_rate, to_tensor
from training.data.gather import LatentReader
from training.data.latents import read_index, read_no_text, read_samples
from training.data.presence import present_index
from training.data.shards import ShardReader, read_subset


class ShardSource:
    """The samples of a subset, decoded at a resolution."""

    def __init__(
        self,
        root: Path,
        subset: str | None,
        buckets: BucketSet,
        resolution: int,
        cache_bytes: int,
        allow_missing: bool = False,
    ) -> None:
        self.subset = read_subset(root, subset, allow_missing)
        self.buckets = [sample.bucket for sample in self.subset.samples]
        check_buckets(self.buckets, buckets)
        self.groups = [sample.video_id for sample in self.subset.samples]
        self._sizes = {key: buckets.frame_size(decode_bucket(key), resolution) for key in set(self.buckets)}
        self._reader = ShardReader(self.subset)
        self._cache = ClipCache[DecodedClip](cache_bytes)

    def load(self, spec: BatchSpec) -> Batch:
        """Pixels of a batch. An image is one of the frames that the clip's bucket takes."""
        is_image = spec.bucket.is_image
        clips = [self.read_clip(i) for i in spec.samples]
        refs = [self.subset.samples[i] for i in spec.samples]
        frames = [clip.frames for clip in clips]
        if is_image:
            frames = [f[(k := int(place * len(f))) : k + 1] for f, place in zip(frames, spec.frames, strict=True)]
        return Batch(
            index=spec.index,
            bucket=encode_bucket(spec.bucket),
            keys=[ref.key for ref in refs],
            captions=[ref.caption for ref in refs],
            fps=[0.0 if is_image else clip.fps for clip in clips],
            pixels=torch.stack([to_tensor(f) for f in frames]),
        )

    def frame_rate(self, position: int) -> float:
        """Frames per second of a sample's frames, without decoding them."""
        ref = self.subset.samples[position]
        meta = self._reader.meta(ref)
        return frame_rate(decode_bucket(ref.bucket).num_frames, meta.duration)

    def read_clip(self, position: int) -> DecodedClip:
        """A sample as its bucket wants it. Raises MovieGenError or ShardError naming what cannot be read."""
        kept = self._cache.get(position)
        if kept is not None:
            return kept
        ref = self.subset.samples[position]
        meta, _, media, suffix = self._reader.read(ref)
        num_frames = decode_bucket(ref.bucket).num_frames
        frames = decode_clip(media, suffix, meta, num_frames, self._sizes[ref.bucket])
        clip = DecodedClip(frames, frame_rate(num_frames, meta.duration))
        self._cache.put(position, clip)
        return clip


class LatentSource:
    """The samples of a folder of cached latents."""

    def __init__(self, folder: Path, allow_missing: bool = False) -> None:
        whole = read_index(folder)
        self.index, _ = present_index(folder, allow_missing)
        self.samples = read_samples(folder, whole)
        there = {file.path for file in self.index.files}
        counts = [file.num_samples for file in whole.files]
        self._rows = np.flatnonzero(np.repeat([file.path in there for file in whole.files], counts))
        self.buckets = [file.bucket for file in self.index.files for _ in range(file.num_samples)]
        is_whole = len(self._rows) == len(self.samples)
        self.groups: Sequence[str] = self.samples.videos if is_whole else self.samples.videos.some(self._rows)
        self._num_images = np.repeat([file.num_images for file in whole.files], counts)
        self._reader = LatentReader(folder, whole.files, self.samples.keys)
        self._no_text = read_no_text(folder, self.index)

    def files_by_key(self) -> dict[str, str]:
        """The tar of each clip."""
        paths = (file.path for file in self.index.files for _ in range(file.num_samples))
        return dict(zip(self.samples.keys.some(self._rows), paths, strict=True))

    def load(self, spec: BatchSpec) -> Batch:
        """Posterior means and standard deviations of a batch. An image is one of the frames that were encoded singly."""
        numbers, is_image = self._rows[np.array(spec.samples)], spec.bucket.is_image
        frames = (np.array(spec.frames) * self._num_images[numbers]).astype(np.int64).tolist() if is_image else None
        latents = self._reader.read_batch(numbers, frames)
        return Batch(
            index=spec.index,
            bucket=encode_bucket(spec.bucket),
            keys=self.samples.keys.some(numbers),
            captions=self.samples.captions.some(numbers),
            fps=[0.0] * len(numbers) if is_image else self.samples.fps[numbers].tolist(),
            latent_mean=latents.mean,
            latent_std=latents.std,
            text_features=[context.features for context in latents.texts] or None,
            text_masks=[context.mask for context in latents.texts] or None,
            no_text=self._no_text or None,
        )


def bucket_keys(buckets: BucketSet) -> set[str]:
    """Keys of all buckets of a set."""
    frames = {row.num_frames for row in buckets.durations}
    return {encode_bucket(Bucket(a.aspect_width, a.aspect_height, f)) for a in buckets.aspects for f in frames}


def with_frames(buckets: BucketSet, num_frames: int | None) -> BucketSet:
    """The set with clips of any duration read as so many frames; as it is where None are given."""
    if num_frames is None:
        return buckets
    first, last = buckets.durations[0], buckets.durations[-1]
    return replace(buckets, durations=(replace(first, max_s=last.max_s, num_frames=num_frames),))


def check_buckets(keys: Sequence[str], buckets: BucketSet) -> None:
    """Raises UsageError when samples are in a bucket that the set does not have: nobody would plan for them."""
    known = bucket_keys(buckets)
    if odd := sorted(set(keys) - known - set(map(image_bucket, known))):
        raise UsageError(
            f"samples of bucket {', '.join(odd)}, none of data.buckets: choose the file the shards were made with"
        )
