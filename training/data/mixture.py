"""Batches of several kinds in exact shares: 10 s and 30 s of sound [S §6.2.4], editing tasks [S §5.1.2-5.1.3], pairs of people [S §4.3.1].

A batch is of one kind. Its kind and its number within the kind are functions of its own number, so that all that holds for one
source's batches holds for the mixture's: nothing is remembered, a resumed run sees the same.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol

from lightning.pytorch import LightningDataModule
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from moviegen.contracts.bucket import BucketSet, decode_bucket
from moviegen.contracts.clip import hash_id
from moviegen.errors import UsageError
from moviegen.pipelines.video import VideoDefaults
from training.data.batch import Batch
from training.data.buckets import BatchMix, BatchPlan, BatchSpec, image_bucket
from training.data.datamodule import Validation, split_samples, validation_specs
from training.data.loader import BatchLoader, PlannedBatches, Source, SpecBatches
from training.parallel.mesh import data_ranks


@dataclass
class PartBatch(Batch):
    """A batch of one kind of a mixture."""

    part: str = ""
    """Name of the kind."""


class Part(Protocol):
    """What every kind of batch is told."""

    share: int
    """Batches of this kind to those of the others."""
    samples_per_batch: int
    """Samples in a global batch."""
    as_images: bool
    """Single frames instead of clips."""


class PartTurns:
    """Batch number -> (kind, number within the kind): exact in every cycle of as many batches as the shares' sum, evenly spread."""

    def __init__(self, shares: Mapping[str, int]) -> None:
        if not shares or min(shares.values()) < 1:
            raise UsageError(f"data.parts: shares {dict(shares)}, wanted whole numbers of at least 1")
        places = [((j + 0.5) / share, i, name) for i, (name, share) in enumerate(shares.items()) for j in range(share)]
        self._order = [name for *_, name in sorted(places)]
        self._shares = dict(shares)

    def turn(self, index: int) -> tuple[str, int]:
        """Kind of batch number `index`, and how many of that kind came before."""
        cycle, place = divmod(index, len(self._order))
        name = self._order[place]
        return name, cycle * self._shares[name] + self._order[:place].count(name)


class MixedBatches(Dataset):
    """Batch number -> this rank's part of that batch, of the kind whose turn it is."""

    def __init__(self, parts: Mapping[str, PlannedBatches], turns: PartTurns) -> None:
        self._parts, self._turns = dict(parts), turns

    def spec(self, index: int) -> Any:
        """The global batch of that number, as its kind plans it."""
        name, number = self._turns.turn(index)
        return self._parts[name].spec(number)  # type: ignore[attr-defined]

    def __getitem__(self, index: int) -> Batch:
        name, number = self._turns.turn(index)
        batch = self._parts[name][number]
        batch.index, batch.part = index, name  # type: ignore[attr-defined]
        return batch


class _Named(Dataset):
    """Validation batches, with the name of their kind."""

    def __init__(self, batches: SpecBatches, name: str) -> None:
        self._batches, self._name = batches, name

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Batch:
        batch = self._batches[index]
        batch.part = self._name  # type: ignore[attr-defined]
        return batch


class MixedDataModule(LightningDataModule):
    """Loaders over several kinds of samples of a lake. Subclasses open the source of each kind."""

    places = ("lake",)

    def __init__(
        self, lake: str, parts: Mapping[str, Part], validation: Validation, num_workers: int, seed: int
    ) -> None:
        super().__init__()
        self.lake, self.parts, self.validation = lake, dict(parts), validation
        self.num_workers, self.seed = num_workers, seed
        self.turns = PartTurns({name: part.share for name, part in self.parts.items()})

    def open_part(self, name: str) -> Source:
        """The samples of a kind."""
        raise NotImplementedError

    @classmethod
    def contents_of(cls, init_args: Mapping[str, Any]) -> dict[str, str]:
        """Path -> SHA-256 of the tars that these arguments name."""
        parts = init_args["parts"].values()
        return {path: sha256 for part in parts if part for path, sha256 in cls.tars_of(part, init_args).items()}

    @classmethod
    def tars_of(cls, part: Mapping[str, Any], init_args: Mapping[str, Any]) -> dict[str, str]:
        """Path -> SHA-256 of the tars of a kind."""
        raise NotImplementedError

    @classmethod
    def digest_of(cls, init_args: Mapping[str, Any]) -> str:
        """Hash of the data that these arguments name: a stage is run again when it changes."""
        return hash_id("mixture", sorted(cls.contents_of(init_args).items()))

    def setup(self, stage: str) -> None:
        """Reads what each source lists and divides it into training and validation, by video: alike for all kinds."""
        self.sources = {name: self.open_part(name) for name in self.parts}
        self.samples = {name: split_samples(source.groups, self.validation) for name, source in self.sources.items()}
        for name, (train, _) in self.samples.items():
            if not train:
                raise UsageError(
                    f"data.parts.{name}: {len(self.sources[name].buckets)} samples, none left for training; choose another "
                    "subset, or lower --data.validation.fraction"
                )

    def train_dataloader(self) -> BatchLoader:
        """Batches without end; loading goes on where `load_state_dict` says."""
        return BatchLoader(
            MixedBatches({name: self._planned(name) for name in self.parts}, self.turns), self.num_workers
        )

    def _planned(self, name: str) -> PlannedBatches:
        part, source, samples = self.parts[name], self.sources[name], self.samples[name][0]
        if part.samples_per_batch < self._ranks()[1]:
            raise UsageError(
                f"data.parts.{name}: batches of {part.samples_per_batch} samples for {self._ranks()[1]} ranks; use fewer ranks, or raise "
                "samples_per_batch"
            )
        keys = [source.buckets[i] for i in samples]
        sizes = dict.fromkeys({*keys, *map(image_bucket, keys)}, part.samples_per_batch)
        mix = BatchMix(image=1, video=0) if part.as_images else BatchMix()
        return PlannedBatches(source, BatchPlan(keys, sizes, mix, self._seed_of(name)), samples, *self._ranks())

    def _seed_of(self, name: str) -> int:
        return zlib.crc32(f"{self.seed}/{name}".encode())

    def val_dataloader(self) -> DataLoader:
        """Held-out samples of all kinds, each once. The ranks share them."""
        return DataLoader(ConcatDataset([self._held_out(name) for name in self.parts]), batch_size=None)

    def _held_out(self, name: str) -> Dataset:
        part, source = self.parts[name], self.sources[name]
        held = sorted(self.samples[name][1], key=lambda i: source.groups[i])[: self.validation.max_samples]

        def sizes(keys: Sequence[str]) -> dict[str, int]:
            return dict.fromkeys({*keys, *map(image_bucket, keys)}, part.samples_per_batch)

        specs = validation_specs({i: source.buckets[i] for i in held}, sizes, part.as_images)
        return _Named(SpecBatches(source, specs, *self._ranks()), name)

    def _ranks(self) -> tuple[int, int]:
        return data_ranks(self.trainer)


def shape_of(source: Source, samples: Sequence[int], buckets: BucketSet, resolution: int) -> VideoDefaults:
    """The shape of the largest bucket of some samples at a resolution, with the frame rate of one of them."""
    keys = [source.buckets[i] for i in samples]
    largest = max(sorted(set(keys)), key=keys.count)
    bucket = decode_bucket(largest)
    width, height = buckets.frame_size(bucket, resolution)
    member = next(i for i in samples if source.buckets[i] == largest)
    fps = source.load(BatchSpec(0, bucket, (member,), ())).fps[0]
    return VideoDefaults(bucket.num_frames, width, height, Fraction(fps or 1).limit_denominator(1001))


def tars(data: Any) -> dict[str, str]:
    """Path -> SHA-256 of the tars of a subset or a set."""
    return {shard.path: shard.sha256 for shard in data.shards}


def with_subset(part: Any, subset: str | None) -> Any:
    """A part that names a subset, where the data module names one for all."""
    return replace(part, subset=subset) if part.subset is None else part
