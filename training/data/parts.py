"""Kinds of batches: what each is told, whose turn it is, and the batches themselves.

A batch is of one kind. Its kind and its number within the kind are functions of its own number, so that all that holds for one
source's batches holds for the mixture's: nothing is remembered, a resumed run sees the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch.utils.data import Dataset

from moviegen.errors import UsageError
from training.data.batch import Batch
from training.data.loader import PlannedBatches, SpecBatches


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


class NamedBatches(Dataset):
    """Validation batches, with the name of their kind."""

    def __init__(self, batches: SpecBatches, name: str) -> None:
        self._batches, self._name = batches, name

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Batch:
        batch = self._batches[index]
        batch.part = self._name  # type: ignore[attr-defined]
        return batch
