"""Loaders of whole batches: sized, resumable, without end.

A loader's state is the number of batches it has given out: batch number i is the same whoever asks for it, when, on how many ranks and
by how many workers.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from torch.utils.data import DataLoader, Dataset, Sampler

from moviegen.contracts.bucket import encode_bucket
from moviegen.contracts.clip import hash_id
from moviegen.draws import Rows
from training.cli import say
from training.data.batch import Batch
from training.data.buckets import BatchPlan, BatchSpec
from training.data.cost import rank_efficiency
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

    def __init__(
        self,
        source: Source,
        plan: BatchPlan,
        samples: Sequence[int],
        rank: int,
        world_size: int,
        costs: Mapping[str, float] | None = None,
    ) -> None:
        """`samples` are the plan's samples by position in the source; `costs` of one sample by bucket key."""
        self._source, self._plan, self._samples = source, plan, samples
        self._rank, self._world_size, self._costs = rank, world_size, costs or {}

    def spec(self, index: int) -> BatchSpec:
        """The global batch of that number, its samples by position in the source."""
        spec = self._plan.spec(index)
        return replace(spec, samples=tuple(self._samples[i] for i in spec.samples))

    def __getitem__(self, index: int) -> Batch:
        spec = self.spec(index)
        mine, size = spec.slice(self._rank, self._world_size), len(spec.samples)
        batch = self._source.load(mine)
        batch.weight = len(mine.samples) * self._world_size / size
        batch.rows = Rows(self._rank, self._world_size, size)
        batch.epoch, batch.digest = spec.epoch, spec.digest
        batch.cost = size * self._costs.get(encode_bucket(spec.bucket), 0.0)
        batch.efficiency = rank_efficiency(size, self._world_size)
        return batch


class SpecBatches(Dataset):
    """A list of batches -> this rank's part of each. A batch with fewer samples than ranks is whole on all of them, so that all take the
    same number of steps."""

    def __init__(self, source: Source, specs: Sequence[BatchSpec], rank: int = 0, world_size: int = 1) -> None:
        self._source, self._specs, self._rank, self._world_size = source, specs, rank, world_size

    def __len__(self) -> int:
        return len(self._specs)

    def __getitem__(self, index: int) -> Batch:
        spec, size = self._specs[index], len(self._specs[index].samples)
        rank, world_size = (self._rank, self._world_size) if size >= self._world_size else (0, 1)
        batch = self._source.load(spec.slice(rank, world_size))
        batch.weight = len(batch) * self._world_size / size
        batch.rows = Rows(rank, world_size, size)
        return batch


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
        self.last = ""
        """Digest of the last batch given out."""
        self.history = ""
        """Hash of all batches given out, in order: equal in two runs that saw the same."""

    def __iter__(self) -> Iterator[Batch]:
        self._from.start = self.num_given
        self._check_last()
        start, batches = time.perf_counter(), super().__iter__()
        while (batch := next(batches, None)) is not None:
            batch.wait_s = time.perf_counter() - start
            self.num_given, self.last = batch.index + 1, batch.digest
            self.history = hash_id(self.history, batch.digest)
            yield batch
            start = time.perf_counter()

    def _check_last(self) -> None:
        """Says so when the batch before is planned otherwise than it was given out: some samples then come again or not at all."""
        planned = getattr(self.dataset, "spec", None)
        if self.num_given and self.last and planned and planned(self.num_given - 1).digest != self.last:
            say(f"batch {self.num_given - 1} is another than before the interruption: data or batch sizes have changed")

    def state_dict(self) -> dict[str, Any]:
        """The state: the same on every rank. `num_given` alone says where to go on, the hashes let it be checked."""
        return {"num_given": self.num_given, "last": self.last, "history": self.history}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`; takes effect at the next `iter`."""
        self.num_given = state["num_given"]
        self.last, self.history = state.get("last", ""), state.get("history", "")
