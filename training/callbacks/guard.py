"""Steps whose gradient is not finite are skipped, counted, and after a few in a row end the run."""

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.optim import Optimizer

from moviegen.errors import MovieGenError
from training.modules.stage import StageModule


class NonFiniteGuard(Callback):
    """Skips a step whose gradient holds NaN or infinity; stops after `patience` such steps in a row, naming the clips."""

    def __init__(self, patience: int = 10) -> None:
        """Guard.

        Args:
            patience: Bad steps in a row that end the run.
        """
        self.patience = patience
        self.num_skipped = 0
        self._in_a_row = 0
        self._keys: list[str] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch, batch_idx: int) -> None:
        """Remembers which clips are on the way."""
        self._keys = list(batch.keys)

    @torch.no_grad()
    def on_before_optimizer_step(self, trainer: Trainer, pl_module: StageModule, optimizer: Optimizer) -> None:
        """Measures the gradient before it is clipped; takes it away when it is not finite."""
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        pl_module.batch_metrics["train/grad_norm"] = norm
        pl_module.log("train/grad_norm", norm)
        if torch.isfinite(norm):
            self._in_a_row = 0
            return
        self.num_skipped += 1
        self._in_a_row += 1
        optimizer.zero_grad(set_to_none=True)
        if self._in_a_row >= self.patience:
            raise MovieGenError(
                f"step {trainer.global_step}: the gradient was not finite in {self.patience} steps in a row; last clips: "
                f"{', '.join(self._keys[:8])}. Lower --model.optimizer.lr, or look at these clips"
            )

    def state_dict(self) -> dict[str, int]:
        """Counters."""
        return {"num_skipped": self.num_skipped, "in_a_row": self._in_a_row}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """The inverse of `state_dict`."""
        self.num_skipped, self._in_a_row = state_dict["num_skipped"], state_dict["in_a_row"]
