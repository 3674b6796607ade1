"""From noise to data: the linear-quadratic grid of t, Euler's method, classifier-free guidance [S §3.4, §3.4.2]."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from moviegen.models.text import TextContext, concatenate_contexts

VelocityFunction = Callable[[Tensor, Tensor], Tensor]
"""(x_t (B, ...), t (B,)) -> velocity (B, ...)."""

Network = Callable[[Tensor, Tensor, Sequence[TextContext]], Tensor]
"""(x_t (B, ...), t (B,), contexts) -> velocity (B, ...): a VideoDiT."""


def linear_quadratic_t(
    num_steps: int = 50, emulate: int = 250, linear_steps: int | None = None, variant: str = "c1"
) -> Tensor:
    """num_steps + 1 values of t from 0 to 1: first as in `emulate` equal steps, then growing quadratically [S §3.4.2].

    The first `linear_steps` (half of `num_steps`, as the paper's 25 of 50) are those of the long schedule. The paper prints no
    formula for the rest. Variant `c1` (our default) joins without a kink in step size; `quadratic` starts the parabola at rest.
    """
    linear = num_steps // 2 if linear_steps is None else linear_steps
    rest = num_steps - linear
    if num_steps < 1 or not 0 <= linear < num_steps or emulate < num_steps:
        raise ValueError(
            f"linear-quadratic schedule: num_steps {num_steps}, linear_steps {linear}, emulate {emulate}; "
            "wanted 0 <= linear_steps < num_steps <= emulate"
        )
    tau = linear / emulate
    k = torch.arange(rest + 1, dtype=torch.float64)
    if variant == "c1":
        slope = 1 / emulate
        tail = tau + slope * k + (1 - tau - slope * rest) * (k / rest) ** 2
    elif variant == "quadratic":
        tail = tau + (1 - tau) * (k / rest) ** 2
    else:
        raise ValueError(f"variant {variant!r} of the schedule: one of 'c1', 'quadratic'")
    head = torch.arange(linear, dtype=torch.float64) / emulate
    grid = torch.cat([head, tail])
    grid[0], grid[-1] = 0.0, 1.0
    return grid.float()


def linear_t(num_steps: int) -> Tensor:
    """num_steps + 1 equally spaced values of t from 0 to 1."""
    if num_steps < 1:
        raise ValueError(f"num_steps is {num_steps}, wanted at least 1")
    return torch.linspace(0, 1, num_steps + 1)


def euler(
    velocity: VelocityFunction, x_0: Tensor, t_grid: Tensor, callback: Callable[[int, int], None] | None = None
) -> Tensor:
    """The sample at the grid's last t: x += (t_next - t) * velocity(x, t), first order [S §3.4.2]. Shape of x_0.

    `callback(step, num_steps)` is called after each step, with step from 1.
    """
    x_t, num_steps = x_0, len(t_grid) - 1
    for step in range(num_steps):
        t = t_grid[step].to(x_0).expand(x_0.shape[0])
        x_t = x_t + (t_grid[step + 1] - t_grid[step]).to(x_0) * velocity(x_t, t)
        if callback is not None:
            callback(step + 1, num_steps)
    return x_t


def guided(
    network: Network,
    contexts: Sequence[TextContext],
    unconditional: Sequence[TextContext],
    guidance_scale: float,
) -> VelocityFunction:
    """u = u_uncond + guidance_scale (u_cond - u_uncond), both branches in one batch.

    The paper gives the scale (7.5 [S §3.4]) but no formula; this is the usual one. A scale of 1 asks the network only once.
    """
    if guidance_scale == 1:
        return lambda x_t, t: network(x_t, t, contexts)
    both = [concatenate_contexts(*pair) for pair in zip(unconditional, contexts, strict=True)]

    def velocity(x_t: Tensor, t: Tensor) -> Tensor:
        u_uncond, u_cond = network(torch.cat([x_t, x_t]), torch.cat([t, t]), both).chunk(2)
        return u_uncond + guidance_scale * (u_cond - u_uncond)

    return velocity
