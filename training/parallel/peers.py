"""Who the other ranks are, so that one which was left alone says who ended, in place of a stack trace of gloo's."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist
from lightning.pytorch import Callback, LightningModule, Trainer

from moviegen.errors import MovieGenError
from moviegen.temporary import is_alive, machine

PATIENCE_S = 2.0
"""Seconds to wait for a process to be gone whose connections are: our decision."""


class PeerError(MovieGenError):
    """Another rank ended, or does not answer."""


class Peers(Callback):
    """Remembers the process of each rank."""

    def __init__(self) -> None:
        self._rank = 0
        self._processes: list[tuple[str, int]] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Has the ranks tell each other who they are."""
        if trainer.world_size > 1:
            found: list = [None] * trainer.world_size
            dist.all_gather_object(found, (machine(), os.getpid()))
            self._rank, self._processes = trainer.global_rank, found

    @contextmanager
    def named(self) -> Iterator[None]:
        """Inside, an error of communication is a PeerError that names the ranks which ended."""
        try:
            yield
        except RuntimeError as error:
            if not self._processes or not is_of_communication(error):
                raise
            raise PeerError(self._text()) from error

    def _text(self) -> str:
        until = time.monotonic() + PATIENCE_S
        while not (ended := self._ended()) and time.monotonic() < until:
            time.sleep(0.1)
        what = f"{', '.join(ended)} ended" if ended else "another rank ended, on another machine, or does not answer"
        return (
            f"rank {self._rank} of {len(self._processes)}: {what}; what it said last, or whatever killed it, says why. "
            "The same command goes on from the newest checkpoint"
        )

    def _ended(self) -> list[str]:
        """The ranks of this machine whose process is gone."""
        ranks = enumerate(self._processes)
        return [
            f"rank {rank} (process {process})"
            for rank, (place, process) in ranks
            if place == machine() and not is_alive(process)
        ]


def is_of_communication(error: RuntimeError) -> bool:
    """Whether ranks could not speak with each other; gloo has no type of its own for that."""
    return isinstance(error, dist.DistError) or "gloo" in str(error)
