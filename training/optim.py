"""AdamW with warm-up. The paper names no optimiser for the video model: AdamW is our decision, with the audio section's decay."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn


@dataclass(frozen=True)
class OptimizerConfig:
    """Optimiser and lr schedule of a stage."""

    lr: float = 1e-4
    """Learning rate after warm-up."""
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.1
    """For all that has two axes or more: matrices, kernels, tables; vectors (norms, biases) are not decayed."""
    warmup_steps: int = 100
    """Steps over which the learning rate rises from 0."""
    schedule: Literal["constant", "cosine", "linear", "plateau"] = "constant"
    """What follows the warm-up: cosine in video finetuning [S §3.3], linear in audio finetuning [S §6.1.6], lower at every plateau of
    the validation loss at 768 px [S §3.2.2]."""
    decay_steps: int | None = None
    """Step at which `cosine` and `linear` reach their end; the stage's max_steps when not given."""
    end_fraction: float = 0.1
    """Share of `lr` that a schedule ends at, or never goes below."""
    plateau_factor: float = 0.5
    """What a plateau multiplies the learning rate by [S §3.2.2]."""
    plateau_patience: int = 2
    """Validations in a row without a new best loss that are a plateau (our decision)."""

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise ValueError(f"optimizer.lr is {self.lr}, wanted more than 0")
        if self.decay_steps is not None and self.decay_steps <= self.warmup_steps:
            raise ValueError(f"optimizer.decay_steps {self.decay_steps} must be over warmup_steps {self.warmup_steps}")
        if self.schedule in ("constant", "plateau") and self.decay_steps is not None:
            raise ValueError(
                f"optimizer.decay_steps has no effect with schedule {self.schedule}; set schedule to cosine or linear"
            )
        if not 0 < self.plateau_factor < 1 or self.plateau_patience < 1:
            raise ValueError(
                f"optimizer.plateau_factor {self.plateau_factor} must be between 0 and 1, plateau_patience "
                f"{self.plateau_patience} at least 1"
            )


def make_optimizer(
    modules: Iterable[nn.Module], config: OptimizerConfig, slower: Iterable[tuple[nn.Module, float]] = ()
) -> torch.optim.Optimizer:
    """AdamW over the parameters that train, in groups with and without weight decay; `slower` are modules with a rate of their own."""
    groups = _groups(modules, config, config.lr)
    for module, lr in slower:
        groups += _groups([module], config, lr)
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=config.lr, betas=config.betas)


def _groups(modules: Iterable[nn.Module], config: OptimizerConfig, lr: float) -> list[dict[str, Any]]:
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": config.weight_decay, "lr": lr},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0, "lr": lr},
    ]


class Plateau:
    """How far the learning rate has been lowered, because the validation loss no longer fell [S §3.2.2]."""

    def __init__(self, config: OptimizerConfig) -> None:
        self.config = config
        self.scale = 1.0
        """What the learning rate is multiplied by."""
        self.best = math.inf
        self.num_worse = 0
        """Validations in a row without a new best loss."""

    def observe(self, loss: float) -> bool:
        """Whether this validation lowers the learning rate."""
        if loss < self.best:
            self.best, self.num_worse = loss, 0
            return False
        self.num_worse += 1
        if self.num_worse < self.config.plateau_patience or self.scale <= self.config.end_fraction:
            return False
        self.num_worse = 0
        self.scale = max(self.scale * self.config.plateau_factor, self.config.end_fraction)
        return True

    def state_dict(self) -> dict[str, float]:
        """Plain numbers."""
        return {"scale": self.scale, "best": self.best, "num_worse": self.num_worse}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """The inverse of `state_dict`."""
        self.scale, self.best, self.num_worse = state["scale"], state["best"], int(state["num_worse"])


def lr_factor(step: int, config: OptimizerConfig, max_steps: int = -1) -> float:
    """Share of the learning rate at a step of a stage of `max_steps`; plateaus lower it besides. Raises ValueError when `cosine` or
    `linear` has no end."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if config.schedule in ("constant", "plateau"):
        return 1.0
    end = config.decay_steps or max_steps
    if end < 1:
        raise ValueError(f"optimizer.schedule {config.schedule}: set optimizer.decay_steps, or trainer.max_steps")
    done = min(1.0, (step - config.warmup_steps) / max(1, end - config.warmup_steps))
    left = 1 - done if config.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return config.end_fraction + (1 - config.end_fraction) * left


def make_schedule(
    optimizer: torch.optim.Optimizer,
    config: OptimizerConfig,
    max_steps: int,
    scale: Callable[[], float] = lambda: 1.0,
) -> torch.optim.lr_scheduler.LambdaLR:
    """The lr schedule, stepped once an optimiser step; `scale` is what plateaus have lowered it to."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: lr_factor(step, config, max_steps) * scale())
