"""When checkpoints are written and which are kept."""

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from training.checkpoint import checkpoint_name, checkpoints
from training.data.batch import Batch


class Checkpoints(Checkpoint):
    """A checkpoint every `every_steps` steps, and one where training stops; the newest `keep` stay."""

    def __init__(self, folder: str | None = None, every_steps: int = 500, keep: int = 2) -> None:
        """Checkpoints.

        Args:
            folder: Where they go; `checkpoints/` in the stage's folder when not given.
            every_steps: Optimiser steps between two.
            keep: How many stay.
        """
        if every_steps < 1 or keep < 1:
            raise ValueError(f"checkpoints: every_steps {every_steps} and keep {keep} are at least 1")
        self.folder, self.every_steps, self.keep = folder, every_steps, keep
        self._saved_step = -1
        self._is_waiting = False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Saves when it is time, and when training stops here; after validation where that is due at this step, so that a
        run that is killed between the two does not go on without it."""
        has_stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        is_last = trainer.should_stop or trainer.global_step == trainer.max_steps
        is_time = is_last or trainer.global_step % self.every_steps == 0
        if has_stepped and is_time and trainer.global_step != self._saved_step:
            self._is_waiting = is_validation_due(trainer, batch)
            if not self._is_waiting:
                self.save(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves what waited for validation."""
        if self._is_waiting:
            self._is_waiting = False
            self.save(trainer)

    def save(self, trainer: Trainer) -> Path:
        """Writes the checkpoint of this step and drops the oldest."""
        folder = Path(self.folder or Path(trainer.default_root_dir) / "checkpoints")
        path = folder / checkpoint_name(trainer.global_step)
        trainer.save_checkpoint(path)
        self._saved_step = trainer.global_step
        if trainer.is_global_zero:
            for old in checkpoints(folder)[: -self.keep]:
                trainer.strategy.remove_checkpoint(old)
        return path


def is_validation_due(trainer: Trainer, batch: Batch) -> bool:
    """Whether Lightning validates after this batch because of `val_check_interval`."""
    every = trainer.val_check_batch
    has_held_out = trainer.limit_val_batches > 0 and bool(trainer.num_val_batches) and sum(trainer.num_val_batches) > 0
    return has_held_out and bool(every) and (batch.index + 1) % int(every) == 0
