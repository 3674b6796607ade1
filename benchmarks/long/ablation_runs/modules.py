"""Two text-to-video stages that the paper decided against: positions at the first layer only, and v-prediction diffusion.

Axis letters: B batch, C channels, T latent frames, H W latent rows and columns.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from moviegen.draws import RowGenerator, draw
from moviegen.evaluation.inside import VALIDATION_T
from moviegen.models.text import TextContext
from moviegen.sampling import guided
from training.data.batch import Batch
from training.modules.stage import VALIDATION_SEED
from training.modules.video_dit import VideoDiTModule


def positions_first_only(network: nn.Module) -> nn.Module:
    """The video transformer with positions added at the input of its first layer alone; the others get what they were given less them."""
    added: list[Tensor] = []
    network.positions.register_forward_hook(lambda module, args, output: added.__setitem__(slice(None), [output]))
    for block in list(network.blocks)[1:]:
        block.register_forward_pre_hook(lambda module, args: (args[0] - added[0], *args[1:]))
    return network


class FirstPositionsModule(VideoDiTModule):
    """Text to video with positions at the first layer only."""

    def adopt(self, network: nn.Module, encoders: Sequence[Any]) -> None:
        """Takes the network in, changed."""
        super().adopt(positions_first_only(network), encoders)


class DiffusionModule(VideoDiTModule):
    """Text to video by v-prediction diffusion under the cosine schedule, in the house's direction: t = 1 is data.

    x_t = sin(pi t / 2) x_1 + cos(pi t / 2) x_0, the target cos(pi t / 2) x_1 - sin(pi t / 2) x_0; t is uniform.
    """

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss at random t."""
        generator = self.generator(batch)
        x_1 = self.data_latents(batch, generator)
        x_0 = draw(torch.randn, x_1.shape, generator)
        t = draw(torch.rand, (len(batch),), generator)
        loss = self._loss(x_0, x_1, t, self.condition(batch, x_1, generator))
        self._sample_shape = x_1.shape[1:]
        self.log_batch({"loss": loss.detach()}, batch, batch.weight)
        return loss * batch.weight

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """The loss on held-out samples at fixed t with fixed noise; of another target than the product's."""
        x_1 = self.data_latents(batch, None)
        x_0 = draw(torch.randn, x_1.shape, RowGenerator.of(batch.rows, VALIDATION_SEED + batch_idx, x_1.device))
        condition = self.condition(batch, x_1, None)
        losses = [self._loss(x_0, x_1, torch.full((len(batch),), t), condition) for t in VALIDATION_T]
        self.log_validation({"loss": torch.stack(losses).mean()}, batch)

    def _loss(self, x_0: Tensor, x_1: Tensor, t: Tensor, condition: Any) -> Tensor:
        sin, cos = _weights(t)
        prediction = self.velocity(sin * x_1 + cos * x_0, t, condition)
        return (prediction.float() - (cos * x_1 - sin * x_0).float()).square().mean()


def _weights(t: Tensor) -> tuple[Tensor, Tensor]:
    """(share of the data, share of the noise), (B, 1, 1, 1, 1)."""
    angle = (0.5 * math.pi * t)[:, None, None, None, None]
    return angle.sin(), angle.cos()


@torch.no_grad()
def sample_diffusion(
    network: nn.Module,
    contexts: list[TextContext],
    unconditional: list[TextContext],
    x_0: Tensor,
    scale: float,
    num_steps: int,
) -> Tensor:
    """x_1 by DDIM in equal steps of t, deterministic."""
    predict, x = guided(network, contexts, unconditional, scale), x_0
    grid = torch.linspace(0, 1, num_steps + 1)
    for now, after in pairwise(grid):
        t = now.expand(len(x))
        v = predict(x, t)
        sin, cos = _weights(t)
        clean, noise = sin * x + cos * v, cos * x - sin * v
        sin, cos = _weights(after.expand(len(x)))
        x = sin * clean + cos * noise
    return x
