"""Loaders of whole batches: sized, resumable, without end.

A loader's state is the number of batches it has given out: batch number i is the same whoever asks for it, and when.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from torch.utils.data import DataLoader, Dataset, Sampler

from training.data.batch import Batch
from training.data.buckets import BatchPlan, BatchSpec
from training.data.worker import shield

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
            worker_init_fn=shield,
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
