"""Flow matching as a training step, for every network that predicts a velocity [S §3.1.2].

Axis letters: B batch, C channels, T latent frames, H W latent rows and columns.
"""

from typing import Any

import torch
from torch import Tensor

from moviegen.flow import flow_loss, flow_point, sample_t
from training.data.batch import Batch
from training.modules.stage import VALIDATION_SEED, StageModule

VALIDATION_T = tuple((i + 0.5) / 10 for i in range(10))
"""Times at which validation measures the loss: ten interior points, our decision; the paper does not say."""


class FlowModule(StageModule):
    """Noise, t, loss; subclasses give the data, what it is conditioned on, and the network."""

    t_mean: float
    t_std: float

    def data_latents(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """x_1 of a batch, normalised; the posterior's mean when there is no generator."""
        raise NotImplementedError

    def condition(self, batch: Batch, generator: torch.Generator | None) -> Any:
        """What `velocity` sees beside x_t and t, some of it dropped for guidance; nothing is dropped without a generator."""
        raise NotImplementedError

    def velocity(self, x_t: Tensor, t: Tensor, condition: Any) -> Tensor:
        """The network's prediction, of x_t's shape."""
        raise NotImplementedError

    def flow_loss(self, prediction: Tensor, velocity: Tensor, condition: Any) -> Tensor:
        """Mean squared error of the velocity [S §3.1.2, Eq 2]."""
        return flow_loss(prediction, velocity)

    def part(self, batch: Batch) -> str:
        """Kind of a batch, whose loss is logged by itself."""
        return getattr(batch, "part", "") or ("image" if batch.is_image else "video")

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss at random t."""
        generator = self.generator(batch.index)
        x_1 = self.data_latents(batch, generator)
        x_0 = torch.randn(x_1.shape, generator=generator, device=x_1.device)
        t = sample_t(len(batch), generator, mean=self.t_mean, std=self.t_std)
        condition = self.condition(batch, generator)
        point = flow_point(x_0, x_1, t)
        loss = self.flow_loss(self.velocity(point.x_t, t, condition), point.velocity, condition)
        self.log_batch({"loss": loss.detach(), f"loss_{self.part(batch)}": loss.detach()}, batch)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """The loss on held-out samples at fixed t with fixed noise: comparable between steps and between runs."""
        x_1 = self.data_latents(batch, None)
        generator = torch.Generator(x_1.device).manual_seed(VALIDATION_SEED + batch_idx)
        x_0 = torch.randn(x_1.shape, generator=generator, device=x_1.device)
        condition = self.condition(batch, None)
        losses = []
        for time in VALIDATION_T:
            t = torch.full((len(batch),), time, device=x_1.device)
            point = flow_point(x_0, x_1, t)
            losses.append(self.flow_loss(self.velocity(point.x_t, t, condition), point.velocity, condition))
        self.log_validation({"loss": torch.stack(losses).mean()}, batch)


def drop(probability: float, batch: int, generator: torch.Generator | None, device: torch.device) -> list[bool]:
    """Of each sample, whether something is dropped; never without a generator."""
    if generator is None:
        return [False] * batch
    return (torch.rand(batch, generator=generator, device=device) < probability).tolist()
