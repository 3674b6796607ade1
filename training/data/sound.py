"""Batches of sound with frames of the video it belongs to and its caption [S §6.1.3, §6.1.6].

Axis letters: B batch, N audio samples, T frames, S side of a frame.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moviegen.contracts.audio_caption import encode_audio_caption
from moviegen.contracts.sample import SampleMeta
from moviegen.errors import MovieGenError
from moviegen.media.audio import read_audio
from moviegen.media.read import read_video
from training.data.buckets import BatchSpec
from training.data.cost import BatchRule
from training.data.decode import ClipCache, to_tensor
from training.data.held_out import Validation
from training.data.mixture import MixedDataModule, with_subset
from training.data.parts import PartBatch
from training.data.presence import may_miss, tars_of
from training.data.shards import SampleRef, ShardReader, read_subset


@dataclass
class SoundBatch(PartBatch):
    """Waveforms of one length, padded with silence; `pixels` (B, 3, T, S, S) are the frames, None where none are asked for."""

    sound: Tensor = field(default_factory=lambda: torch.empty(0))
    """(B, 1, N) in -1..1, mono."""
    num_samples: Tensor = field(default_factory=lambda: torch.empty(0))
    """(B,) int64: audio samples that are no padding."""
    has_video: Tensor = field(default_factory=lambda: torch.empty(0))
    """(B,) bool: False where the sample is sound alone, its frames grey."""
    frame_rate: float = 0.0
    """Frames a second."""


@dataclass(frozen=True)
class SoundPart:
    """A kind of batch."""

    samples_per_batch: int
    """Sequences in a global batch."""
    seconds: float
    """Longest chunk; a chunk begins at a random place [S §6.1.6]."""
    share: int = 1
    """Batches of this kind to those of the others."""
    subset: str | None = None
    """Name of the selection; the lake's only one when not given."""
    as_images: bool = False
    """Never for sound."""

    def __post_init__(self) -> None:
        if self.seconds <= 0 or self.as_images:
            raise ValueError(
                f"a part of sound of {self.seconds} s as_images {self.as_images}: wanted more than 0 s, false"
            )


class SoundSource:
    """The samples of a subset, a chunk of each."""

    def __init__(
        self,
        root: Path,
        part: SoundPart,
        data: "SoundShape",
        seed: int,
        cache_bytes: int = 0,
        allow_missing: bool = False,
    ) -> None:
        self.subset = read_subset(root, part.subset, allow_missing)
        self._reader, self._part, self._shape, self._seed = ShardReader(self.subset), part, data, seed
        self._cache = ClipCache[np.ndarray](cache_bytes)
        self.buckets = [f"1x1-f{max(2, self.num_frames)}"] * len(self.subset.samples)
        self.groups = [ref.video_id for ref in self.subset.samples]

    @property
    def num_frames(self) -> int:
        """Frames of a chunk; 0 when none are asked for."""
        return round(self._part.seconds * self._shape.frame_rate)

    def load(self, spec: BatchSpec) -> SoundBatch:
        """A chunk of each sample. Raises MovieGenError naming a sample without caption or sound."""
        rows = [self._sample(self.subset.samples[i], spec.index, i) for i in spec.samples]
        sounds, counts, frames, captions = zip(*rows, strict=True)
        has_frames = self.num_frames > 0
        return SoundBatch(
            index=spec.index, bucket=self.buckets[0], keys=[self.subset.samples[i].key for i in spec.samples],
            captions=list(captions), fps=[self._shape.frame_rate] * len(rows),
            pixels=torch.stack([self._grey() if f is None else f for f in frames]) if has_frames else None,
            sound=torch.stack(sounds), num_samples=torch.tensor(counts),
            has_video=torch.tensor([f is not None for f in frames]), frame_rate=self._shape.frame_rate,
        )  # fmt: skip

    def _sample(self, ref: SampleRef, index: int, position: int) -> tuple[Tensor, int, Tensor | None, str]:
        meta, _, media, suffix = self._reader.read(ref)
        if not meta.has_audio and suffix != "flac":
            raise MovieGenError(f"clip {ref.key} has no sound; choose a subset of clips with sound with --data.subset")
        place = float(np.random.default_rng([self._seed, index, position]).random())
        start_s = place * max(0.0, meta.duration - self._part.seconds)
        sound = self._sound(meta, media, position)[:, round(start_s * self._shape.sample_rate_hz) :]
        wave = torch.zeros(1, round(self._part.seconds * self._shape.sample_rate_hz))
        count = min(sound.shape[1], wave.shape[1])
        wave[:, :count] = torch.from_numpy(sound[:, :count])
        frames = self._frames(meta, media, position, start_s) if suffix == "mp4" and self.num_frames else None
        return wave, count, frames, self._caption(meta)

    def _sound(self, meta: SampleMeta, media: bytes, position: int) -> np.ndarray:
        """(1, N) of the whole clip, so that a chunk is the same whether it was kept or not."""
        sound = self._cache.get((position, "sound"))
        if sound is None:
            sound = read_audio(media, end_s=meta.duration, sample_rate=self._shape.sample_rate_hz)
            self._cache.put((position, "sound"), sound)
        return sound

    def _frames(self, meta: SampleMeta, media: bytes, position: int, start_s: float) -> Tensor:
        fps, side = meta.num_frames / meta.duration, self._shape.frame_px
        moments = (start_s + (i + 0.5) / self._shape.frame_rate for i in range(self.num_frames))
        indices = [min(meta.num_frames - 1, math.floor(moment * fps)) for moment in moments]
        every = self._cache.get((position, "frames"))
        if every is None and self._cache.has_room(meta.num_frames * side * side * 3):
            every = read_video(media, indices=range(meta.num_frames), size=(side, side))
            self._cache.put((position, "frames"), every)
        return to_tensor(read_video(media, indices=indices, size=(side, side)) if every is None else every[indices])

    def _grey(self) -> Tensor:
        return torch.zeros(3, self.num_frames, self._shape.frame_px, self._shape.frame_px)

    def _caption(self, meta: SampleMeta) -> str:
        if not self._shape.with_captions:
            return ""
        if meta.audio_caption is None:
            raise MovieGenError(
                f"clip {meta.clip_id} has no audio caption: curate the subset with caption.audio_captioners, then shard it again"
            )
        return encode_audio_caption(meta.audio_caption)


@dataclass(frozen=True)
class SoundShape:
    """How sound is read in all parts."""

    sample_rate_hz: int = 48000
    """Of the codec [S §6.1.3]."""
    frame_rate: float = 0.0
    """Video frames a second that are read beside the sound; 0: none."""
    frame_px: int = 224
    """Side of those frames."""
    latent_rate_hz: float = 25.0
    """Latents a second of the codec [S §6.1.3]: what a chunk costs (`batch`)."""
    with_captions: bool = True
    """The six fields of the audio caption [S Table 26], as text."""


class SoundDataModule(MixedDataModule):
    """Chunks of sound, in kinds of batches: 10 s and 30 s as 5 : 1 [S §6.2.4], films and sound alone as 10 : 1 [S §6.2.3]."""

    def __init__(
        self,
        lake: str,
        parts: dict[str, SoundPart],
        shape: SoundShape = SoundShape(),
        subset: str | None = None,
        validation: Validation = Validation(),  # noqa: B008
        num_workers: int = 0,
        cache_bytes: int = 2**30,
        seed: int = 0,
        batch: BatchRule = BatchRule(),  # noqa: B008
        allow_missing: bool = False,
    ) -> None:
        """Loaders over the sound of a lake.

        Args:
            lake: Root of the lake.
            parts: Kinds of batches by name.
            shape: Sample rate, and the frames read beside.
            subset: Subset of the parts that name none; the lake's only one when not given.
            validation: What is held out.
            num_workers: Processes that load batches; 0 loads in the training process.
            cache_bytes: Memory for decoded sound and frames, of each kind in each loading process.
            seed: Order of the samples, and the chunks' places.
            batch: A FLOP budget beside the number of samples, and what sizes divide by.
            allow_missing: Go on without committed files that are missing; they are told, and recorded in data.json.
        """
        super().__init__(lake, parts, validation, num_workers, seed, batch, allow_missing)
        self.shape, self.subset, self.cache_bytes = shape, subset, cache_bytes

    def open_part(self, name: str) -> SoundSource:
        """The samples of a kind."""
        part = with_subset(self.parts[name], self.subset)
        seed, missing = self._seed_of(name), self.allow_missing
        return SoundSource(Path(self.lake), part, self.shape, seed, self.cache_bytes, missing)

    def tokens(self, name: str, bucket: str) -> int:
        """Latents of a chunk."""
        return max(1, round(self.parts[name].seconds * self.shape.latent_rate_hz))

    @classmethod
    def tars_of(cls, part: Mapping[str, Any], init_args: Mapping[str, Any]) -> dict[str, str]:
        """Path -> SHA-256 of the subset's tars."""
        return tars_of(
            read_subset(
                init_args["lake"], part.get("subset") or init_args.get("subset"), allow_missing=may_miss(init_args)
            )
        )
