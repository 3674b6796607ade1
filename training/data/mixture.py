"""Batches of several kinds in exact shares: 10 s and 30 s of sound [S §6.2.4], editing tasks [S §5.1.2-5.1.3], people [S §4.3.1]."""

import functools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from lightning.pytorch import LightningDataModule
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from moviegen.contracts.bucket import BucketSet, decode_bucket
from moviegen.contracts.clip import hash_id
from moviegen.errors import UsageError
from moviegen.pipelines.video import VideoDefaults
from training.cli import say
from training.data.buckets import BatchMix, BatchPlan, BatchSpec, image_bucket
from training.data.cost import BatchRule, check_sizes, pixel_shape, rank_efficiency, step_efficiency
from training.data.datamodule import check_every_bucket
from training.data.held_out import Validation, split_samples, validation_specs
from training.data.loader import BatchLoader, PlannedBatches, Source, SpecBatches
from training.data.parts import MixedBatches, NamedBatches, Part, PartTurns
from training.parallel.mesh import data_ranks


class MixedDataModule(LightningDataModule):
    """Loaders over several kinds of samples of a lake. Subclasses open the source of each kind, and say what its samples are."""

    places = ("lake",)

    def __init__(
        self,
        lake: str,
        parts: Mapping[str, Part],
        validation: Validation,
        num_workers: int,
        seed: int,
        batch: BatchRule = BatchRule(),  # noqa: B008
        allow_missing: bool = False,
    ) -> None:
        super().__init__()
        self.lake, self.parts, self.validation, self.batch = lake, dict(parts), validation, batch
        self.allow_missing = allow_missing
        self.num_workers, self.seed = num_workers, seed
        self.turns = PartTurns({name: part.share for name, part in self.parts.items()})

    def open_part(self, name: str) -> Source:
        """The samples of a kind."""
        raise NotImplementedError

    def tokens(self, name: str, bucket: str) -> int:
        """Tokens of a sample of a kind in a bucket: what `batch` reckons with."""
        raise NotImplementedError

    def part_buckets(self, name: str) -> BucketSet | None:
        """The buckets that a kind's samples may be in; None where they are all in one."""
        return None

    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """(T, H, W) in pixels of each bucket of video there are batches of, held-out ones too; nothing of sound."""
        found = {}
        for name, part in self.parts.items():
            buckets, keys = self.part_buckets(name), set(self.sources[name].buckets)
            for key in map(image_bucket, keys) if part.as_images else keys:
                if buckets is not None:
                    found[key] = pixel_shape(decode_bucket(key), buckets, self.resolution)  # type: ignore[attr-defined]
        return dict(sorted(found.items()))

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
            buckets = self.part_buckets(name)
            if self.batch.every_bucket and buckets is not None:
                check_every_bucket(self.sources[name].buckets, buckets)
        if stage == "fit" and self.trainer and self.trainer.is_global_zero:
            say(self.summary())

    def train_dataloader(self) -> BatchLoader:
        """Batches without end; loading goes on where `load_state_dict` says."""
        return BatchLoader(
            MixedBatches({name: self._planned(name) for name in self.parts}, self.turns), self.num_workers
        )

    def _planned(self, name: str) -> PlannedBatches:
        plan, sizes = self._plan(name)
        costs = {key: self._cost(name, key) for key in sizes}
        return PlannedBatches(self.sources[name], plan, self.samples[name][0], *self._ranks(), costs)

    def _plan(self, name: str) -> tuple[BatchPlan, dict[str, int]]:
        keys = [self.sources[name].buckets[i] for i in self.samples[name][0]]
        sizes = self._batch_sizes(name, keys)
        mix = BatchMix(image=1, video=0) if self.parts[name].as_images else BatchMix()
        plan = BatchPlan(keys, sizes, mix, self._seed_of(name))
        used = {key: sizes[key] for key in plan.step_shares()}
        check_sizes(used, self.batch, self._ranks()[1], f"data.parts.{name}.samples_per_batch")
        return plan, sizes

    def _batch_sizes(self, name: str, keys: Sequence[str]) -> dict[str, int]:
        """Samples in a global batch of a kind by bucket: as many as the kind says, fewer where they would cost more than a batch may."""
        most = self.parts[name].samples_per_batch
        tokens = {key: self.tokens(name, key) for key in {*keys, *map(image_bucket, set(keys))}}
        return {key: self.batch.size(count, most * count) for key, count in tokens.items()}

    def _cost(self, name: str, key: str) -> float:
        return float(self.batch.sample_cost(self.tokens(name, key)))

    def summary(self) -> str:
        """One line: samples and batch sizes of each kind, and how evenly the work is spread."""
        world_size, total = self._ranks()[1], sum(part.share for part in self.parts.values())
        shares: dict[tuple[str, str], float] = {}
        sizes: dict[tuple[str, str], int] = {}
        for name, part in self.parts.items():
            plan, of_part = self._plan(name)
            shares |= {(name, key): share * part.share / total for key, share in plan.step_shares().items()}
            sizes |= {(name, key): of_part[key] for key in plan.step_shares()}
        costs = {place: sizes[place] * self._cost(*place) for place in shares}
        kinds = "; ".join(self._kind_summary(name, sizes) for name in self.parts)
        ranks = sum(share * rank_efficiency(sizes[place], world_size) for place, share in shares.items())
        return (
            f"data: {kinds}; mean over maximum cost {ranks:.3f} between {world_size} ranks, "
            f"{step_efficiency(costs, shares):.3f} between steps"
        )

    def _kind_summary(self, name: str, sizes: Mapping[tuple[str, str], int]) -> str:
        of_kind = {key: size for (kind, key), size in sizes.items() if kind == name}
        is_one = self.part_buckets(name) is None
        batches = ", ".join(str(size) if is_one else f"{key} x {size}" for key, size in of_kind.items())
        return f"{len(self.samples[name][0])} samples of {name}, batches of {batches}"

    def _seed_of(self, name: str) -> int:
        return zlib.crc32(f"{self.seed}/{name}".encode())

    def val_dataloader(self) -> DataLoader:
        """Held-out samples of all kinds, each once. The ranks share them."""
        return DataLoader(ConcatDataset([self._held_out(name) for name in self.parts]), batch_size=None)

    def _held_out(self, name: str) -> Dataset:
        part, source = self.parts[name], self.sources[name]
        held = sorted(self.samples[name][1], key=lambda i: source.groups[i])[: self.validation.max_samples]
        sizes = functools.partial(self._batch_sizes, name)
        specs = validation_specs({i: source.buckets[i] for i in held}, sizes, part.as_images)
        return NamedBatches(SpecBatches(source, specs, *self._ranks()), name)

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


def with_subset(part: Any, subset: str | None) -> Any:
    """A part that names a subset, where the data module names one for all."""
    return replace(part, subset=subset) if part.subset is None else part
