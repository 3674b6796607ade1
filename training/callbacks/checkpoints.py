"""When checkpoints are written and which are kept."""

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from training.checkpoint import checkpoint_name, checkpoints


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

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Saves when it is time, and when training stops here."""
        has_stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        is_last = trainer.should_stop or trainer.global_step == trainer.max_steps
        if has_stepped and trainer.global_step != self._saved_step and (is_last or trainer.global_step % self.every_steps == 0):
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
