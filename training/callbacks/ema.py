"""Running mean of the weights, held beside the optimiser and swapped in for validation and export.

Lightning's WeightAveraging keeps a second unsharded model; here only the trained tensors are copied, and of those that ranks share each
rank holds the mean of its own part.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from training.modules.stage import StageModule
from training.parallel.norm import local


class EMA(Callback):
    """EMA of what is trained: mean <- decay mean + (1 - decay) weights after each optimiser step.

    The first steps count more: decay is at most (1 + n) / (10 + n) after n steps, so that short runs forget where they began.
    """

    def __init__(self, decay: float = 0.9999) -> None:
        """EMA.

        Args:
            decay: Share of the old mean kept a step; 0.9999 is our decision, the paper gives 0.999 for audio [S §6.1.6].
        """
        if not 0 <= decay < 1:
            raise ValueError(f"EMA decay is {decay}, wanted 0 <= decay < 1")
        self.decay = decay
        self.num_updates = 0
        self.means: dict[str, Tensor] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: StageModule) -> None:
        """Begins from the weights, or takes up the means of the checkpoint."""
        weights = trained_tensors(pl_module)
        if not self.means:
            self.means = {name: tensor.detach().clone() for name, tensor in weights.items()}
        self.means = {name: self.means[name].to(tensor.device) for name, tensor in weights.items()}

    def on_train_start(self, trainer: Trainer, pl_module: StageModule) -> None:
        """Notes the step; Lightning restores it only after `on_fit_start`."""
        self._step = trainer.global_step

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the means when the optimiser has stepped."""
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        self.num_updates += 1
        decay = min(self.decay, (1 + self.num_updates) / (10 + self.num_updates))
        weights = trained_tensors(pl_module)
        means = [local(self.means[name]) for name in weights]
        torch._foreach_lerp_(means, [local(weight.detach()) for weight in weights.values()], 1 - decay)

    @contextmanager
    def swapped_in(self, pl_module: StageModule) -> Iterator[None]:
        """Inside, the module's weights are the means."""
        self.swap(pl_module)
        try:
            yield
        finally:
            self.swap(pl_module)

    @torch.no_grad()
    def swap(self, pl_module: StageModule) -> None:
        """Exchanges weights and means in place; a second call undoes the first."""
        for name, weight in trained_tensors(pl_module).items():
            mine, mean = local(weight.detach()), local(self.means[name])
            kept = mine.clone()
            mine.copy_(mean)
            mean.copy_(kept)

    def on_validation_start(self, trainer: Trainer, pl_module: StageModule) -> None:
        """Validation looks at the means."""
        if self.means:
            self.swap(pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: StageModule) -> None:
        """Training goes on with the weights."""
        if self.means:
            self.swap(pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Means and number of updates."""
        return {"num_updates": self.num_updates, "means": self.means}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.num_updates, self.means = state_dict["num_updates"], dict(state_dict["means"])


def trained_tensors(pl_module: StageModule) -> dict[str, Tensor]:
    """Name -> parameter of everything that trains."""
    return {name: p for name, p in pl_module.trained().named_parameters() if p.requires_grad}
