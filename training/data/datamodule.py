"""Lightning's view of the data: a loader of whole batches, sized and resumable, over shards or cached latents.

The loader never ends: stages are counted in steps.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from moviegen.contracts.bucket import BucketSet, decode_bucket
from moviegen.contracts.clip import hash_id
from moviegen.errors import UsageError
from moviegen.pipelines.video import VideoDefaults
from training.cli import say
from training.data.buckets import BatchMix, BatchPlan, BatchSpec, image_bucket
from training.data.cost import BatchRule, check_sizes, num_tokens, pixel_shape, rank_efficiency, step_efficiency
from training.data.held_out import Validation, split_samples, validation_specs
from training.data.latents import encode_index
from training.data.loader import BatchLoader, PlannedBatches, Source, SpecBatches
from training.data.presence import may_miss, present_index
from training.data.shards import read_subset
from training.data.sources import LatentSource, ShardSource, bucket_keys, check_buckets
from training.parallel.mesh import data_ranks


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
        batch: BatchRule = BatchRule(),  # noqa: B008
    ) -> None:
        super().__init__()
        self.buckets, self.resolution, self.tokens_per_batch, self.batch = buckets, resolution, tokens_per_batch, batch
        self.mix, self.validation, self.num_workers, self.seed = mix, validation, num_workers, seed

    def open_source(self) -> Source:
        """The samples."""
        raise NotImplementedError

    @staticmethod
    def digest_of(init_args: Mapping[str, Any]) -> str:
        """Hash of the data that these arguments name: a stage is run again when it changes."""
        raise NotImplementedError

    def setup(self, stage: str) -> None:
        """Reads what the source lists and divides it into training and validation. Raises UsageError when something would never be used."""
        self.source = self.open_source()
        if self.batch.every_bucket:
            check_every_bucket(self.source.buckets, self.buckets)
        self.train_samples, self.val_samples = split_samples(self.source.groups, self.validation)
        if not self.train_samples:
            raise UsageError(
                f"{len(self.source.buckets)} samples, none left for training; lower --data.validation.fraction"
            )

        if stage == "fit" and self.trainer and self.trainer.is_global_zero:
            say(self.summary())

    def train_dataloader(self) -> "BatchLoader":
        """Batches without end; loading goes on where `load_state_dict` says."""
        plan, sizes = self._plan()
        costs = {key: float(self._sample_cost(key)) for key in sizes}
        batches = PlannedBatches(self.source, plan, self.train_samples, *self._ranks(), costs)
        return BatchLoader(batches, self.num_workers)

    def summary(self) -> str:
        """One line: samples, buckets, batch sizes, and how evenly the work is spread."""
        plan, sizes = self._plan()
        shares, world_size = plan.step_shares(), self._ranks()[1]
        ranks = sum(share * rank_efficiency(sizes[key], world_size) for key, share in shares.items())
        steps = step_efficiency({key: sizes[key] * float(self._sample_cost(key)) for key in shares}, shares)
        ordered = ", ".join(f"{key} x {sizes[key]}" for key in sorted(shares, key=lambda key: -shares[key]))
        return (
            f"data: {len(self.train_samples)} samples; batches of {ordered}; mean over maximum cost {ranks:.3f} between "
            f"{world_size} ranks, {steps:.3f} between steps"
        )

    def _plan(self) -> tuple[BatchPlan, dict[str, int]]:
        keys = [self.source.buckets[i] for i in self.train_samples]
        sizes = self._batch_sizes(keys)
        plan = BatchPlan(keys, sizes, self.mix, self.seed)
        used = {key: sizes[key] for key in plan.step_shares()}
        check_sizes(used, self.batch, self._ranks()[1])
        return plan, sizes

    def val_dataloader(self) -> DataLoader:
        """Held-out clips, once: as images in a stage of images alone, else as videos. The ranks share them."""
        held = sorted(self.val_samples, key=lambda i: self.source.groups[i])[: self.validation.max_samples]
        specs = validation_specs({i: self.source.buckets[i] for i in held}, self._batch_sizes, self.mix.video == 0)
        return DataLoader(SpecBatches(self.source, specs, *self._ranks()), batch_size=None)

    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """(T, H, W) in pixels of each bucket there are batches of, held-out ones too."""
        own = set(self.source.buckets)
        keys = {*(own if self.mix.video else ()), *(map(image_bucket, own) if self.mix.image else ())}
        return {key: pixel_shape(decode_bucket(key), self.buckets, self.resolution) for key in sorted(keys)}

    def defaults(self) -> VideoDefaults:
        """The shape of what is trained on: the largest bucket's at this resolution, with the median frame rate of a few clips."""
        keys = [self.source.buckets[i] for i in self.train_samples]
        videos = [key for key in keys if not decode_bucket(key).is_image]
        shown = videos if self.mix.video and videos else keys
        largest = max(sorted(set(shown)), key=shown.count)
        bucket = decode_bucket(largest)
        width, height = self.buckets.frame_size(bucket, self.resolution)
        members = tuple(i for i in self.train_samples if self.source.buckets[i] == largest)[:8]
        frames = (0.5,) * len(members) if bucket.is_image else ()
        fps = sorted(self.source.load(BatchSpec(0, bucket, members, frames)).fps)[len(members) // 2]
        num_frames = bucket.num_frames if self.mix.video else 1
        return VideoDefaults(num_frames, width, height, Fraction(fps or 1).limit_denominator(1001))

    def _batch_sizes(self, keys: Sequence[str]) -> dict[str, int]:
        """Samples in a global batch by bucket key, of images and videos: the same on any number of ranks."""
        wanted = set(keys)
        wanted |= set(map(image_bucket, wanted))
        return {key: self.batch.size(self._tokens(key), self.tokens_per_batch) for key in wanted}

    def _tokens(self, key: str) -> int:
        return num_tokens(decode_bucket(key), self.buckets, self.resolution)

    def _sample_cost(self, key: str) -> int:
        return self.batch.sample_cost(self._tokens(key))

    def _ranks(self) -> tuple[int, int]:
        return data_ranks(self.trainer)


def check_every_bucket(keys: Sequence[str], buckets: BucketSet) -> None:
    """Raises UsageError when a bucket of the set has no samples."""
    if empty := sorted(bucket_keys(buckets) - set(keys)):
        raise UsageError(
            f"no sample in bucket {', '.join(empty)}: they would never be used; take them out of data.buckets"
        )


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
        validation: Validation = Validation(),  # noqa: B008
        num_workers: int = 0,
        cache_bytes: int = 2**30,
        seed: int = 0,
        batch: BatchRule = BatchRule(),  # noqa: B008
        allow_missing: bool = False,
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
            batch: A FLOP budget beside the one of tokens, and what sizes divide by.
            allow_missing: Go on without committed files that are missing; they are told, and recorded in data.json.
        """
        super().__init__(buckets, resolution, tokens_per_batch, mix, validation, num_workers, seed, batch)
        self.lake, self.subset, self.cache_bytes, self.allow_missing = lake, subset, cache_bytes, allow_missing

    def open_source(self) -> ShardSource:
        """The committed samples of the subset."""
        place, missing = Path(self.lake), self.allow_missing
        return ShardSource(place, self.subset, self.buckets, self.resolution, self.cache_bytes, missing)

    @staticmethod
    def digest_of(init_args: Mapping[str, Any]) -> str:
        """Hash of the subset's shards."""
        return read_subset(init_args["lake"], init_args.get("subset"), may_miss(init_args)).digest


class LatentDataModule(PlannedData):
    """Latents cached by `moviegen train encode`."""

    places = ("latents",)

    def __init__(
        self,
        latents: str,
        buckets: BucketSet,
        tokens_per_batch: int,
        mix: BatchMix = BatchMix(),  # noqa: B008
        validation: Validation = Validation(),  # noqa: B008
        num_workers: int = 0,
        seed: int = 0,
        batch: BatchRule = BatchRule(),  # noqa: B008
        allow_missing: bool = False,
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
            batch: A FLOP budget beside the one of tokens, and what sizes divide by.
            allow_missing: Go on without committed files that are missing; they are told, and recorded in data.json.
        """
        super().__init__(buckets, 0, tokens_per_batch, mix, validation, num_workers, seed, batch)
        self.latents, self.allow_missing = latents, allow_missing

    def open_source(self) -> LatentSource:
        """The samples of the index."""
        source = LatentSource(Path(self.latents), self.allow_missing)
        check_buckets(source.buckets, self.buckets)
        self.resolution = source.index.resolution
        return source

    @staticmethod
    def digest_of(init_args: Mapping[str, Any]) -> str:
        """Hash of what was encoded and how."""
        return hash_id(encode_index(present_index(Path(init_args["latents"]), may_miss(init_args))[0]))
