"""What each step was made of: its cost, how evenly the ranks shared it, how far its bucket's epoch is."""

from typing import Any

from lightning.pytorch import Callback, Trainer

from training.data.batch import Batch
from training.modules.stage import StageModule


class BatchMetrics(Callback):
    """Adds `data/...` to the step's training metrics; stands before `MetricsFile`, which writes them."""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Of the batch that ended the step."""
        values = {
            "data/cost": batch.cost,
            "data/efficiency": batch.efficiency,
            "data/epoch": batch.epoch,
        }
        pl_module.batch_metrics |= values
        pl_module.log_dict(values, batch_size=len(batch), rank_zero_only=True)
