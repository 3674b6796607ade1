"""When checkpoints are written and which are kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from training.checkpoint import checkpoint_name, checkpoints, parse_checkpoint_name
from training.data.batch import Batch
from training.parallel.strategy import MeshStrategy


class Checkpoints(Checkpoint):
    """A checkpoint every `every_steps` steps, and one where training stops; the newest `keep` stay, and one every
    `permanent_every_steps` for good."""

    def __init__(
        self,
        folder: str | None = None,
        every_steps: int = 500,
        keep: int = 2,
        permanent_every_steps: int | None = None,
    ) -> None:
        """Checkpoints.

        Args:
            folder: Where they go; `checkpoints/` in the stage's folder when not given.
            every_steps: Optimiser steps between two.
            keep: How many stay.
            permanent_every_steps: Those at a multiple of so many steps stay for good, beside the newest.
        """
        if every_steps < 1 or keep < 1:
            raise ValueError(f"checkpoints: every_steps {every_steps} and keep {keep} are at least 1")
        if permanent_every_steps is not None and (permanent_every_steps < 1 or permanent_every_steps % every_steps):
            raise ValueError(
                f"checkpoints: permanent_every_steps is {permanent_every_steps}, wanted a multiple of every_steps {every_steps}"
            )
        self.folder, self.every_steps, self.keep = folder, every_steps, keep
        self.permanent_every_steps = permanent_every_steps
        self._saved_step = -1
        self._is_waiting = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the step that training goes on from: it is saved already."""
        self._saved_step = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Saves when it is time, and when training stops here; after validation where that is due at this step, so that a
        run that is killed between the two does not go on without it."""
        has_stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if has_stepped and self._is_time(trainer):
            self._is_waiting = is_validation_due(trainer, batch)
            if not self._is_waiting:
                self.save(trainer)

    def _is_time(self, trainer: Trainer) -> bool:
        # a module with two optimisers takes two steps at once: multiples may be stepped over
        step = trainer.global_step
        is_last = trainer.should_stop or 0 <= trainer.max_steps <= step
        return step != self._saved_step and (is_last or step // self.every_steps > self._saved_step // self.every_steps)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves what waited for validation, and when validation was told to be the last."""
        if trainer.state.fn == "fit" and (self._is_waiting or (trainer.should_stop and self._is_time(trainer))):
            self._is_waiting = False
            self.save(trainer)

    def save(self, trainer: Trainer) -> Path:
        """Writes the checkpoint of this step, or begins to, and drops those that need not stay."""
        path = self._folder(trainer) / checkpoint_name(trainer.global_step)
        trainer.save_checkpoint(path)
        self._saved_step = trainer.global_step
        self._drop_old(trainer, path)
        return path

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Waits for a checkpoint that is still being written."""
        if isinstance(trainer.strategy, MeshStrategy):
            trainer.strategy.wait_for_checkpoint()
            self._drop_old(trainer, self._folder(trainer) / checkpoint_name(trainer.global_step))

    def _folder(self, trainer: Trainer) -> Path:
        return Path(self.folder or Path(trainer.default_root_dir) / "checkpoints")

    def _drop_old(self, trainer: Trainer, newest: Path) -> None:
        if not trainer.is_global_zero:
            return
        there = [path for path in checkpoints(newest.parent) if path.name <= newest.name]
        if there:  # the newest of those that are whole: one that is being written has no name yet
            for old in superfluous(there, there[-1], self.keep, self.permanent_every_steps):
                trainer.strategy.remove_checkpoint(old)


def superfluous(paths: Sequence[Path], newest: Path, keep: int, permanent_every_steps: int | None) -> list[Path]:
    """The checkpoints that may go once `newest` is written: all but the newest `keep`, and but the permanent ones."""
    former = [path for path in paths if path.name < newest.name]
    old = former[: len(former) - (keep - 1)] if keep - 1 < len(former) else []
    every = permanent_every_steps
    return [path for path in old if every is None or (parse_checkpoint_name(path.name) or 0) % every]


def is_validation_due(trainer: Trainer, batch: Batch) -> bool:
    """Whether Lightning validates after this batch because of `val_check_interval`."""
    every = trainer.val_check_batch
    has_held_out = trainer.limit_val_batches > 0 and bool(trainer.num_val_batches) and sum(trainer.num_val_batches) > 0
    return has_held_out and bool(every) and (batch.index + 1) % int(every) == 0
