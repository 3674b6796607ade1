"""Flow matching as a training step, for every network that predicts a velocity [S §3.1.2].

Axis letters: B batch, C channels, T latent frames, H W latent rows and columns.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from moviegen.flow import flow_loss, flow_point, sample_t
from training.data.batch import Batch
from training.modules.stage import VALIDATION_SEED, StageModule

VALIDATION_T = tuple((i + 0.5) / 10 for i in range(10))
"""Times at which validation measures the loss: ten interior points, our decision; the paper does not say."""


class FlowModule(StageModule):
    """Noise, t, dropped texts, loss; subclasses give the data and the network."""

    uncond_prob: float
    t_mean: float
    t_std: float

    def data_latents(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """x_1 of a batch, normalised; the posterior's mean when there is no generator."""
        raise NotImplementedError

    def texts(self, batch: Batch) -> list[str]:
        """What the text encoders read of each sample."""
        raise NotImplementedError

    def velocity(self, x_t: Tensor, t: Tensor, texts: Sequence[str]) -> Tensor:
        """The network's prediction, of x_t's shape."""
        raise NotImplementedError

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean squared error of the velocity at random t, some texts dropped for guidance."""
        generator = self.generator(batch.index)
        x_1 = self.data_latents(batch, generator)
        x_0 = torch.randn(x_1.shape, generator=generator, device=x_1.device)
        t = sample_t(len(batch), generator, mean=self.t_mean, std=self.t_std)
        dropped = torch.rand(len(batch), generator=generator, device=x_1.device) < self.uncond_prob
        texts = ["" if drop else text for drop, text in zip(dropped.tolist(), self.texts(batch), strict=True)]
        point = flow_point(x_0, x_1, t)
        loss = flow_loss(self.velocity(point.x_t, t, texts), point.velocity)
        medium = "image" if batch.is_image else "video"
        self.log_batch({"loss": loss.detach(), f"loss_{medium}": loss.detach()}, batch)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """The loss on held-out clips at fixed t with fixed noise: comparable between steps and between runs."""
        x_1 = self.data_latents(batch, None)
        generator = torch.Generator(x_1.device).manual_seed(VALIDATION_SEED + batch_idx)
        x_0 = torch.randn(x_1.shape, generator=generator, device=x_1.device)
        texts = self.texts(batch)
        losses = []
        for time in VALIDATION_T:
            t = torch.full((len(batch),), time, device=x_1.device)
            point = flow_point(x_0, x_1, t)
            losses.append(flow_loss(self.velocity(point.x_t, t, texts), point.velocity))
        self.log_validation({"loss": torch.stack(losses).mean()}, batch)
