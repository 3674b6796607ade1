"""Frames at one exact rate out of a clip, not spread over all of it: 16 s at 16 and 10.67 s at 24 frames a second for finetuning
[S §3.3, Table 2], 14 neighbouring frames at 24 for the upsampler [S §3.1.5]."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from moviegen.contracts.bucket import BucketSet, decode_bucket, encode_bucket
from moviegen.contracts.clip import hash_id
from moviegen.contracts.sample import SampleMeta
from moviegen.errors import MovieGenError, UsageError
from training.cli import say
from training.data.batch import Batch
from training.data.buckets import BatchMix, BatchSpec
from training.data.cost import BatchRule
from training.data.datamodule import ShardDataModule
from training.data.decode import to_tensor
from training.data.held_out import Validation
from training.data.shards import ShardReader, Subset, read_rows
from training.data.sources import ShardSource, with_frames


@dataclass(frozen=True)
class Window:
    """Which frames of a clip are taken."""

    num_frames: int
    fps: float
    """Frames a second; a clip that is shorter than all of them is not used."""
    place: Literal["middle", "random"] = "middle"
    """Where in the clip the window lies: the paper takes the middle for finetuning [S Table 2]; random is our decision for the
    upsampler."""

    def __post_init__(self) -> None:
        if self.num_frames < 1 or self.fps <= 0:
            raise ValueError(f"window of {self.num_frames} frames at {self.fps} a second: both must be more than 0")

    @property
    def seconds(self) -> float:
        """Length."""
        return self.num_frames / self.fps


def window_indices(meta: SampleMeta, window: Window, place: float) -> list[int]:
    """Frames of an encoded clip that are nearest to the window's moments; `place` in [0, 1) of the room it has."""
    start_s = place * max(0.0, meta.duration - window.seconds)
    source_fps = meta.num_frames / meta.duration
    moments = (start_s + (i + 0.5) / window.fps for i in range(window.num_frames))
    return [min(meta.num_frames - 1, int(moment * source_fps)) for moment in moments]


class WindowSource(ShardSource):
    """The clips of a subset that are long enough, a window of each."""

    def __init__(
        self,
        root: Path,
        subset: str | None,
        buckets: BucketSet,
        resolution: int,
        window: Window,
        seed: int,
        allow_missing: bool = False,
    ) -> None:
        super().__init__(root, subset, buckets, resolution, cache_bytes=0, allow_missing=allow_missing)
        self._window, self._seed = window, seed
        seconds = clip_seconds(self.subset, self._reader)
        kept = [ref for ref in self.subset.samples if seconds[ref.key] >= window.seconds - 1 / window.fps]
        if not kept:
            raise UsageError(
                f"subset {self.subset.name}: none of {len(seconds)} clips is {window.seconds:.2f} s long; lower window.num_frames"
            )
        if len(kept) < len(seconds):
            say(f"{len(seconds) - len(kept)} of {len(seconds)} clips are shorter than {window.seconds:.2f} s: not used")
        self.subset = replace(self.subset, samples=tuple(kept))
        self.buckets = [_with_frames(ref.bucket, window.num_frames) for ref in kept]
        self.groups = [ref.video_id for ref in kept]
        self._sizes = {key: buckets.frame_size(decode_bucket(key), resolution) for key in set(self.buckets)}

    def load(self, spec: BatchSpec) -> Batch:
        """Pixels of a batch. An image is one frame of the window."""
        refs = [self.subset.samples[i] for i in spec.samples]
        places = self._places(spec)
        frames = [self._read(i, place) for i, place in zip(spec.samples, places, strict=True)]
        if spec.bucket.is_image:
            frames = [f[(k := int(at * len(f))) : k + 1] for f, at in zip(frames, spec.frames, strict=True)]
        fps = 0.0 if spec.bucket.is_image else float(self._window.fps)
        return Batch(
            index=spec.index, bucket=encode_bucket(spec.bucket), keys=[ref.key for ref in refs],
            captions=[ref.caption for ref in refs], fps=[fps] * len(refs),
            pixels=torch.stack([to_tensor(f) for f in frames]),
        )  # fmt: skip

    def _places(self, spec: BatchSpec) -> list[float]:
        if self._window.place == "middle":
            return [0.5] * len(spec.samples)
        return [float(np.random.default_rng([self._seed, spec.index, i]).random()) for i in spec.samples]

    def _read(self, position: int, place: float) -> np.ndarray:
        from moviegen.media.read import read_video

        meta, _, media, suffix = self._reader.read(self.subset.samples[position])
        if suffix != "mp4":
            raise MovieGenError(
                f"clip {meta.clip_id}: a .{suffix} sample is no video; choose a subset of videos with --data.subset"
            )
        size = self._sizes[self.buckets[position]]
        return read_video(media, indices=window_indices(meta, self._window, place), size=size)


def _with_frames(key: str, num_frames: int) -> str:
    return encode_bucket(replace(decode_bucket(key), num_frames=num_frames))


def clip_seconds(subset: Subset, reader: ShardReader) -> dict[str, float]:
    """Length of each clip: from the clips table, and from the tars where a lake has no such table."""
    from moviegen.contracts.lake import lake_at

    rows = read_rows(lake_at(subset.root), "clips", ("clip_id", "num_frames", "fps_num", "fps_den"))
    known = {row["clip_id"]: row["num_frames"] * row["fps_den"] / row["fps_num"] for row in rows}
    return {ref.key: known[ref.key] if ref.key in known else reader.meta(ref).duration for ref in subset.samples}


class WindowDataModule(ShardDataModule):
    """Pixels of a window of each clip, decoded from a subset's shards at the stage's resolution."""

    def __init__(
        self,
        lake: str,
        buckets: BucketSet,
        resolution: int,
        tokens_per_batch: int,
        window: Window,
        subset: str | None = None,
        mix: BatchMix = BatchMix(),  # noqa: B008
        validation: Validation = Validation(),  # noqa: B008
        num_workers: int = 0,
        seed: int = 0,
        batch: BatchRule = BatchRule(),  # noqa: B008
        allow_missing: bool = False,
    ) -> None:
        """Loaders over windows of the clips of a lake.

        Args:
            lake: Root of the lake.
            buckets: Aspects of the shards.
            resolution: Side in px of the square of equal area; every bucket's frame size follows from it.
            tokens_per_batch: Token budget of a global batch; a sample has ceil(T/8) x H/16 x W/16 tokens.
            window: Frames taken of a clip, at an exact rate.
            subset: Name of the selection whose shards are read; the lake's only one when not given.
            mix: Image batches to video batches; an image is one frame of a window, drawn at random.
            validation: What is held out.
            num_workers: Processes that load batches beside the training process; 0 loads in it.
            seed: Order of the samples, and the windows' places.
            batch: A FLOP budget beside the one of tokens, and what sizes divide by.
            allow_missing: Go on without committed files that are missing; they are told, and recorded in data.json.
        """
        super().__init__(
            lake, with_frames(buckets, window.num_frames), resolution, tokens_per_batch, subset, mix, validation,
            num_workers, cache_bytes=0, seed=seed, batch=batch,
            allow_missing=allow_missing,
        )  # fmt: skip
        self.window, self._shard_buckets = window, buckets

    def open_source(self) -> WindowSource:
        """The committed samples of the subset that are long enough."""
        place, buckets = Path(self.lake), self._shard_buckets
        return WindowSource(place, self.subset, buckets, self.resolution, self.window, self.seed, self.allow_missing)

    @staticmethod
    def digest_of(init_args: Mapping[str, Any]) -> str:
        """Hash of the subset's shards."""
        return hash_id("window", ShardDataModule.digest_of(init_args))
