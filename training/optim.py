"""AdamW with warm-up. The paper names no optimiser for the video model: AdamW is our decision, with the audio section's decay."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn


@dataclass(frozen=True)
class OptimizerConfig:
    """Optimiser and lr schedule of a stage."""

    lr: float = 1e-4
    """Learning rate after warm-up."""
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.1
    """For matrices and kernels; vectors (norms, biases, tables of positions) are not decayed."""
    warmup_steps: int = 100
    """Steps over which the learning rate rises from 0."""
    schedule: Literal["constant", "cosine"] = "constant"
    """What follows the warm-up; the paper names cosine for finetuning only [S §3.3]."""
    decay_steps: int | None = None
    """Step at which `cosine` reaches its end; the stage's max_steps when not given."""
    end_fraction: float = 0.1
    """Share of `lr` that `cosine` ends at."""

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise ValueError(f"optimizer.lr is {self.lr}, wanted more than 0")
        if self.decay_steps is not None and self.decay_steps <= self.warmup_steps:
            raise ValueError(f"optimizer.decay_steps {self.decay_steps} must be over warmup_steps {self.warmup_steps}")
        if self.schedule == "constant" and self.decay_steps is not None:
            raise ValueError("optimizer.decay_steps has no effect with schedule constant; set schedule to cosine")


def make_optimizer(modules: Iterable[nn.Module], config: OptimizerConfig) -> torch.optim.Optimizer:
    """AdamW over the parameters that train, in two groups: with and without weight decay."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=config.lr, betas=config.betas)


def lr_factor(step: int, config: OptimizerConfig, max_steps: int = -1) -> float:
    """Share of the learning rate at a step of a stage of `max_steps`. Raises ValueError when `cosine` has no end."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return 1.0
    end = config.decay_steps or max_steps
    if end < 1:
        raise ValueError("optimizer.schedule cosine: set optimizer.decay_steps, or trainer.max_steps")
    done = min(1.0, (step - config.warmup_steps) / max(1, end - config.warmup_steps))
    return config.end_fraction + (1 - config.end_fraction) * 0.5 * (1 + math.cos(math.pi * done))


def make_schedule(
    optimizer: torch.optim.Optimizer, config: OptimizerConfig, max_steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """The lr schedule, stepped once an optimiser step."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: lr_factor(step, config, max_steps))
