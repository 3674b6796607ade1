"""Flow matching: the straight path from noise to data and its velocity [S §3.1.2].

Direction: t=0 is noise, t=1 is data. Many other code bases run the other way round; never paste their sign.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from moviegen.draws import draw

SIGMA_MIN = 1e-5
"""The noise left at t=1 [S §3.1.2]."""


@dataclass(frozen=True)
class FlowPoint:
    """A point on the path and the velocity there; both have the shape of x_1."""

    x_t: Tensor
    velocity: Tensor


def flow_point(x_0: Tensor, x_1: Tensor, t: Tensor, sigma_min: float = SIGMA_MIN) -> FlowPoint:
    """x_t = t x_1 + (1 - (1 - sigma_min) t) x_0 and velocity = x_1 - (1 - sigma_min) x_0 [S §3.1.2].

    x_0 (noise) and x_1 (data) have one shape (B, ...); t is (B,) in [0, 1].
    """
    if x_0.shape != x_1.shape:
        raise ValueError(f"noise is {tuple(x_0.shape)} and data {tuple(x_1.shape)}: they must have one shape")
    if t.shape != x_1.shape[:1]:
        raise ValueError(f"t is {tuple(t.shape)}, wanted ({x_1.shape[0]},): one time a sample")
    time = t.to(x_1.dtype).reshape(-1, *[1] * (x_1.dim() - 1))
    x_t = time * x_1 + (1 - (1 - sigma_min) * time) * x_0
    return FlowPoint(x_t, x_1 - (1 - sigma_min) * x_0)


def sample_t(batch: int, generator: torch.Generator | None = None, *, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """`batch` times in (0, 1), logit-normal: sigmoid of a normal [S §3.1.2]. Shape (B,), on the generator's device."""
    return torch.sigmoid(mean + std * draw(torch.randn, (batch,), generator))


def flow_loss(prediction: Tensor, velocity: Tensor) -> Tensor:
    """Mean squared error between the network's velocity and the path's, a scalar; no weighting over t [S §3.1.2, Eq 2]."""
    if prediction.shape != velocity.shape:
        raise ValueError(f"prediction is {tuple(prediction.shape)} and velocity {tuple(velocity.shape)}")
    return (prediction.float() - velocity.float()).square().mean()
