"""A network and its judge, each with an optimiser of its own: manual optimisation [S §3.1.1, §6.1.3].

One backward serves both: the network's side of the contest goes through the judge with its weights held still (`frozen_forward`), so the
two sums have no parameter in common, and a strategy that synchronises gradients sees one backward a step.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from training.modules.stage import StageModule
from training.optim import OptimizerConfig, make_optimizer


class AdversarialModule(StageModule):
    """A stage with a judge; without one, it is optimised as any other."""

    discriminator: nn.Module | None

    def __init__(
        self, optimizer: OptimizerConfig, seed: int, discriminator_lr: float | None = None, clip: float = 1.0
    ) -> None:
        """`discriminator_lr` is the judge's learning rate, the network's when not given; `clip` the largest norm of either's
        gradient."""
        super().__init__(optimizer, seed)
        self.discriminator_lr, self.clip = discriminator_lr, clip

    def generator_networks(self) -> nn.ModuleDict:
        """What is trained beside the judge."""
        raise NotImplementedError

    def trained(self) -> nn.ModuleDict:
        """The networks, and the judge where there is one."""
        networks = self.generator_networks()
        if self.discriminator is not None:
            networks["discriminator"] = self.discriminator
        return networks

    def judge_by(self, discriminator: nn.Module | None) -> None:
        """Takes the judge in; with one, the module steps by itself."""
        self.discriminator = discriminator
        self.automatic_optimization = discriminator is None

    def configure_optimizers(self) -> Any:
        """AdamW for the network, and another for the judge."""
        if self.discriminator is None:
            return super().configure_optimizers()
        networks = self.generator_networks()
        main = make_optimizer(networks.values(), self.optimizer_config)
        rate = self.discriminator_lr or self.optimizer_config.lr
        judge = make_optimizer((), self.optimizer_config, [(self.discriminator, rate)])
        return [main, judge], [self.schedule(main), self.schedule(judge)]

    def step(self, loss: Tensor, is_judged: bool) -> None:
        """One step of the network, and of the judge where it took part."""
        main, judge = self.optimizers()  # type: ignore[misc]
        for optimizer in (main, judge):
            optimizer.zero_grad()
        self.manual_backward(loss if is_judged else loss + self._silence())
        if is_judged:
            self._step_judge(judge.optimizer)
        main.step()  # alone counted as a step, and looked at by the callbacks
        schedules = self.lr_schedulers()
        for schedule in schedules if is_judged else schedules[:1]:  # type: ignore[union-attr,index]
            schedule.step()  # type: ignore[call-arg]

    def _silence(self) -> Tensor | float:
        """Nothing, of every weight of a judge that takes no part yet: ranks wait for each other's gradients of all weights, and those of
        nothing spare them the search for what is unused in every step."""
        if self.trainer.world_size == 1:
            return 0.0
        return 0.0 * torch.stack([p.sum() for p in self.discriminator.parameters()]).sum()  # type: ignore[union-attr]

    def _step_judge(self, optimizer: torch.optim.Optimizer) -> None:
        """Steps the judge unless its gradient is not finite."""
        norm = nn.utils.clip_grad_norm_(self.discriminator.parameters(), self.clip)  # type: ignore[union-attr]
        self.batch_metrics["train/judge_grad_norm"] = norm
        if torch.isfinite(norm):
            optimizer.step()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clips the network's gradient, after the guard has looked at it."""
        if not self.automatic_optimization:
            nn.utils.clip_grad_norm_(self.generator_networks().parameters(), self.clip)


OverRanks = Callable[[Tensor], Tensor]
"""A rank's gradient -> that of the global batch."""


def alone(gradient: Tensor) -> Tensor:
    """Of one rank: the gradient itself."""
    return gradient


def adaptive_weight(reconstruction: Tensor, contest: Tensor, last: Tensor, over_ranks: OverRanks = alone) -> Tensor:
    """Factor that makes the contest's gradient at the last layer as large as the reconstruction's, as in LDM; a scalar of at most 1e4,
    the same on any number of ranks."""
    losses = (reconstruction, contest)
    wanted, got = (over_ranks(torch.autograd.grad(loss, last, retain_graph=True)[0]).norm() for loss in losses)
    return (wanted / (got + 1e-4)).clamp(0, 1e4).detach()
