"""Lightning's view of the data: a loader of whole batches, sized and resumable, over shards or cached latents.

The loader never ends: stages are counted in steps. Its state is the number of batches given out.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Protocol

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from moviegen.contracts.bucket import BucketSet, decode_bucket
from moviegen.contracts.clip import hash_id
from moviegen.errors import UsageError
from moviegen.pipelines.video import VideoDefaults
from training.data.batch import Batch
from training.data.buckets import BatchMix, BatchPlan, BatchSpec, batch_size, image_bucket, num_tokens
from training.data.latents import encode_index, read_index
from training.data.shards import read_subset
from training.data.sources import LatentSource, ShardSource

ENDLESS = 10**9
"""Length of the loader in batches. Lightning skips a batch on resume when a loader has no length."""


class Source(Protocol):
    """Samples that can be planned by bucket and loaded by position."""

    buckets: Sequence[str]
    """Bucket key of each sample."""
    groups: Sequence[str]
    """What must not be split between training and validation: the video of each sample."""

    def load(self, spec: BatchSpec) -> Batch:
        """The batch of a spec."""
        ...


@dataclass(frozen=True)
class Validation:
    """What is held out, chosen by video, so that no validation clip shares a source with a training clip."""

    fraction: float = 0.05
    """Share of the videos."""
    max_samples: int = 64
    """Clips looked at in one validation; the first ones in order of key."""

    def __post_init__(self) -> None:
        if not 0 <= self.fraction < 1:
            raise ValueError(f"validation.fraction is {self.fraction}, wanted 0 <= fraction < 1")


class PlannedData(LightningDataModule):
    """Loaders over any source. Subclasses open the source."""

    places: ClassVar[tuple[str, ...]] = ()
    """Arguments that say where the data lies; the digest says what it is."""

    def __init__(
        self,
        buckets: BucketSet,
        resolution: int,
        tokens_per_batch: int,
        mix: BatchMix,
        validation: Validation,
        num_workers: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.buckets, self.resolution, self.tokens_per_batch = buckets, resolution, tokens_per_batch
        self.mix, self.validation, self.num_workers, self.seed = mix, validation, num_workers, seed

    def open_source(self) -> Source:
        """The samples."""
        raise NotImplementedError

    @staticmethod
    def digest_of(init_args: Mapping[str, Any]) -> str:
        """Hash of the data that these arguments name: a stage is run again when it changes."""
        raise NotImplementedError

    def setup(self, stage: str) -> None:
        """Reads what the source lists and divides it into training and validation."""
        self.source = self.open_source()
        self.train_samples, self.val_samples = split_samples(self.source.groups, self.validation)
        if not self.train_samples:
            raise UsageError(
                f"{len(self.source.buckets)} samples, none left for training; lower --data.validation.fraction"
            )

    def train_dataloader(self) -> "BatchLoader":
        """Batches without end; loading goes on where `load_state_dict` says."""
        keys = [self.source.buckets[i] for i in self.train_samples]
        plan = BatchPlan(keys, self._batch_sizes(keys), self.mix, self.seed)
        return BatchLoader(PlannedBatches(self.source, plan, self.train_samples, *self._ranks()), self.num_workers)

    def val_dataloader(self) -> DataLoader:
        """The held-out clips, as videos, in order of key, once."""
        specs = validation_specs(
            [self.source.buckets[i] for i in self.val_samples],
            self.val_samples,
            self._batch_sizes,
            self.validation.max_samples,
        )
        rank, world_size = self._ranks()
        return DataLoader(SpecBatches(self.source, specs[rank::world_size]), batch_size=None)

    def defaults(self) -> VideoDefaults:
        """The shape of what is trained on: the largest bucket's at this resolution, with the median frame rate of a few clips."""
        keys = [self.source.buckets[i] for i in self.train_samples]
        largest = max(sorted(set(keys)), key=keys.count)
        bucket = decode_bucket(largest)
        width, height = self.buckets.frame_size(bucket, self.resolution)
        members = tuple(i for i in self.train_samples if self.source.buckets[i] == largest)[:8]
        fps = sorted(self.source.load(BatchSpec(0, bucket, members, ())).fps)[len(members) // 2]
        num_frames = bucket.num_frames if self.mix.video else 1
        return VideoDefaults(num_frames, width, height, Fraction(fps or 1).limit_denominator(1001))

    def _batch_sizes(self, keys: Sequence[str]) -> dict[str, int]:
        wanted = {*keys, *map(image_bucket, keys)}
        tokens = {key: num_tokens(decode_bucket(key), self.buckets, self.resolution) for key in wanted}
        return {key: batch_size(count, self.tokens_per_batch, self._ranks()[1]) for key, count in tokens.items()}

    def _ranks(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


def split_samples(groups: Sequence[str], validation: Validation) -> tuple[list[int], list[int]]:
    """Positions for (training, validation). A group's side depends on its name alone, so growing data moves nobody."""
    held = [zlib.crc32(group.encode()) < validation.fraction * 2**32 for group in groups]
    return [i for i, is_held in enumerate(held) if not is_held], [i for i, is_held in enumerate(held) if is_held]


def validation_specs(keys: Sequence[str], samples: Sequence[int], sizes: Any, max_samples: int) -> list[BatchSpec]:
    """Batches of one bucket each over at most `max_samples` samples, the last of a bucket smaller."""
    kept = list(zip(keys, samples, strict=True))[:max_samples]
    specs: list[BatchSpec] = []
    for key in sorted({key for key, _ in kept}):
        members = [sample for name, sample in kept if name == key]
        size = sizes([key])[key]
        for start in range(0, len(members), size):
            specs.append(BatchSpec(len(specs), decode_bucket(key), tuple(members[start : start + size]), ()))
    return specs


class PlannedBatches(Dataset):
    """Batch number -> this rank's part of that batch."""

    def __init__(self, source: Source, plan: BatchPlan, samples: Sequence[int], rank: int, world_size: int) -> None:
        self._source, self._plan, self._samples = source, plan, samples
        self._rank, self._world_size = rank, world_size

    def __getitem__(self, index: int) -> Batch:
        spec = self._plan.spec(index).slice(self._rank, self._world_size)
        places = tuple(self._samples[i] for i in spec.samples)
        return self._source.load(BatchSpec(spec.index, spec.bucket, places, spec.frames))


class SpecBatches(Dataset):
    """A list of batches."""

    def __init__(self, source: Source, specs: Sequence[BatchSpec]) -> None:
        self._source, self._specs = source, specs

    def __len__(self) -> int:
        return len(self._specs)

    def __getitem__(self, index: int) -> Batch:
        return self._source.load(self._specs[index])


class _From(Sampler[int]):
    """Batch numbers from `start` on."""

    start = 0

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, ENDLESS))

    def __len__(self) -> int:
        return ENDLESS


class BatchLoader(DataLoader):
    """A loader that knows how many batches it has given out, and goes on from there.

    Workers are spawned: forked ones inherit FFmpeg's and torch's threads and can hang.
    """

    def __init__(self, batches: Dataset, num_workers: int) -> None:
        self._from = _From()
        super().__init__(
            batches,
            batch_size=None,
            sampler=self._from,
            num_workers=num_workers,
            multiprocessing_context="spawn" if num_workers else None,
            persistent_workers=bool(num_workers),
        )
        self.num_given = 0

    def __iter__(self) -> Iterator[Batch]:
        self._from.start = self.num_given
        for batch in super().__iter__():
            self.num_given = batch.index + 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """The state: the same on every rank."""
        return {"num_given": self.num_given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """The inverse of `state_dict`; takes effect at the next `iter`."""
        self.num_given = state["num_given"]


class ShardDataModule(PlannedData):
    """Pixels, decoded from a subset's shards at the stage's resolution."""

    places = ("lake", "subset")

    def __init__(
        self,
        lake: str,
        buckets: BucketSet,
        resolution: int,
        tokens_per_batch: int,
        subset: str | None = None,
        mix: BatchMix = BatchMix(),  # noqa: B008
        validation: Validation = Validation(),
        num_workers: int = 0,
        cache_bytes: int = 2**30,
        seed: int = 0,
    ) -> None:
        """Loaders over the shards of a lake.

        Args:
            lake: Root of the lake.
            buckets: Aspects and durations of the shards.
            resolution: Side in px of the square of equal area; every bucket's frame size follows from it.
            tokens_per_batch: Token budget of a global batch; a sample has ceil(T/8) x H/16 x W/16 tokens.
            subset: Name of the selection whose shards are read; the lake's only one when not given.
            mix: Image batches to video batches; an image is one frame of a clip, drawn at random.
            validation: What is held out.
            num_workers: Processes that load batches beside the training process; 0 loads in it.
            cache_bytes: Memory for decoded frames, in each loading process.
            seed: Order of the samples.
        """
        super().__init__(buckets, resolution, tokens_per_batch, mix, validation, num_workers, seed)
        self.lake, self.subset, self.cache_bytes = lake, subset, cache_bytes

    def open_source(self) -> ShardSource:
        """The committed samples of the subset."""
        return ShardSource(Path(self.lake), self.subset, self.buckets, self.resolution, self.cache_bytes)

    @staticmethod
    def digest_of(init_args: Mapping[str, Any]) -> str:
        """Hash of the subset's shards."""
        return read_subset(init_args["lake"], init_args.get("subset")).digest


class LatentDataModule(PlannedData):
    """Latents cached by `moviegen train encode`."""

    places = ("latents",)

    def __init__(
        self,
        latents: str,
        buckets: BucketSet,
        tokens_per_batch: int,
        mix: BatchMix = BatchMix(),  # noqa: B008
        validation: Validation = Validation(),
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        """Loaders over cached latents; the resolution is the one they were encoded at.

        Args:
            latents: Folder with latents.json.
            buckets: Aspects and durations of the shards.
            tokens_per_batch: Token budget of a global batch.
            mix: Image batches to video batches.
            validation: What is held out.
            num_workers: Processes that load batches; 0 loads in the training process.
            seed: Order of the samples.
        """
        super().__init__(buckets, 0, tokens_per_batch, mix, validation, num_workers, seed)
        self.latents = latents

    def open_source(self) -> LatentSource:
        """The samples of the index."""
        source = LatentSource(Path(self.latents))
        self.resolution = source.index.resolution
        return source

    @staticmethod
    def digest_of(init_args: Mapping[str, Any]) -> str:
        """Hash of what was encoded and how."""
        return hash_id(encode_index(read_index(init_args["latents"])))
