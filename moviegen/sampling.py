"""From noise to data: grids of t, solvers, guidance, windows solved together [S §3.4, §3.4.2, §3.1.5, §6.1.5]."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from moviegen.models.text import TextContext, concatenate_contexts
from moviegen.windows import Span, blend

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


Solver = Callable[[VelocityFunction, Tensor, Tensor, Tensor], Tensor]
"""(velocity, x_t, t, t_next) -> x at t_next; t and t_next are scalars."""


def euler_step(velocity: VelocityFunction, x_t: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
    """x + (t_next - t) velocity(x, t): first order, one call of the network; what the paper samples video with [S §3.4.2]."""
    return x_t + (t_next - t).to(x_t) * velocity(x_t, t.to(x_t).expand(x_t.shape[0]))


def midpoint_step(velocity: VelocityFunction, x_t: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
    """x + (t_next - t) velocity at the middle of the step: second order, two calls; what the paper samples audio with [S §6.1.6]."""
    step = t_next - t
    middle = x_t + (0.5 * step).to(x_t) * velocity(x_t, t.to(x_t).expand(x_t.shape[0]))
    return x_t + step.to(x_t) * velocity(middle, (t + 0.5 * step).to(x_t).expand(x_t.shape[0]))


SOLVERS: dict[str, Solver] = {"euler": euler_step, "midpoint": midpoint_step}
"""By the name that a product's YAML gives."""

Callback = Callable[[int, int], None]
"""(step, num_steps), after each step, with step from 1."""


def integrate(
    velocity: VelocityFunction,
    x_0: Tensor,
    t_grid: Tensor,
    solver: Solver = euler_step,
    callback: Callback | None = None,
) -> Tensor:
    """The sample at the grid's last t, of x_0's shape."""
    return _steps(lambda x_t, t, t_next: solver(velocity, x_t, t, t_next), x_0, t_grid, callback)


def euler(velocity: VelocityFunction, x_0: Tensor, t_grid: Tensor, callback: Callback | None = None) -> Tensor:
    """`integrate` by Euler's method."""
    return integrate(velocity, x_0, t_grid, euler_step, callback)


def integrate_windows(
    velocities: Sequence[VelocityFunction],
    spans: Sequence[Span],
    masks: Sequence[Tensor],
    x_0: Tensor,
    t_grid: Tensor,
    solver: Solver = euler_step,
    callback: Callback | None = None,
    *,
    dim: int = 2,
) -> Tensor:
    """MultiDiffusion: at every step each window is solved from one shared x, and the results are merged [S §3.1.5, §6.1.5].

    `velocities[i]` is asked about the frames spans[i] along `dim` and carries that window's conditioning; `masks` sum to 1 on every
    frame (`moviegen.windows`). A solver's step is done whole in each window before they are merged (our decision).
    """
    if not len(velocities) == len(spans) == len(masks):
        raise ValueError(
            f"{len(velocities)} velocities, {len(spans)} spans and {len(masks)} masks: wanted one a window"
        )

    def step(x_t: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
        pairs = zip(velocities, spans, strict=True)
        solved = [solver(velocity, x_t.narrow(dim, start, end - start), t, t_next) for velocity, (start, end) in pairs]
        return blend(solved, spans, masks, dim)

    return _steps(step, x_0, t_grid, callback)


def _steps(
    step: Callable[[Tensor, Tensor, Tensor], Tensor], x_0: Tensor, t_grid: Tensor, callback: Callback | None
) -> Tensor:
    x_t, num_steps = x_0, len(t_grid) - 1
    for number in range(num_steps):
        x_t = step(x_t, t_grid[number], t_grid[number + 1])
        if callback is not None:
            callback(number + 1, num_steps)
    return x_t


GuidanceScale = float | Callable[[Tensor], Tensor]
"""A number, or a function of t (B,) that gives one a sample (B,)."""


def rising_guidance(mean: float) -> Callable[[Tensor], Tensor]:
    """2 mean t: a guidance scale that grows from 0 at noise and is `mean` on average.

    For audio the paper names dynamic guidance with a weight of 3 and prints no schedule [S §6.4.1]; the ramp is our decision.
    """
    return lambda t: 2 * mean * t


def guided(
    network: Network,
    contexts: Sequence[TextContext],
    unconditional: Sequence[TextContext],
    guidance_scale: GuidanceScale,
) -> VelocityFunction:
    """u = u_uncond + guidance_scale (u_cond - u_uncond), both branches in one batch.

    The paper gives the scale (7.5 [S §3.4]) but no formula; this is the usual one. A scale of 1 asks the network only once.
    """
    if guidance_scale == 1:
        return lambda x_t, t: network(x_t, t, contexts)
    both = [concatenate_contexts(*pair) for pair in zip(unconditional, contexts, strict=True)]
    return guided_pair(lambda x_t, t: network(x_t, t, both), guidance_scale)


def guided_pair(pair: VelocityFunction, guidance_scale: GuidanceScale) -> VelocityFunction:
    """The same for any network: `pair` is asked about 2 B samples, first all without the condition, then all with it."""

    def velocity(x_t: Tensor, t: Tensor) -> Tensor:
        u_uncond, u_cond = pair(torch.cat([x_t, x_t]), torch.cat([t, t])).chunk(2)
        return u_uncond + _scale(guidance_scale, t, x_t) * (u_cond - u_uncond)

    return velocity


def edit_guided(triple: VelocityFunction, video_scale: float = 1.5, text_scale: float = 7.5) -> VelocityFunction:
    """u = u(-,-) + video_scale (u(V,-) - u(-,-)) + text_scale (u(V,T) - u(V,-)): guidance by a video and by an instruction.

    `triple` is asked about 3 B samples: all with neither, all with the video, all with both. Formula and scales are
    InstructPix2Pix's; the paper reports none for editing [spec 5.2].
    """

    def velocity(x_t: Tensor, t: Tensor) -> Tensor:
        neither, video, both = triple(torch.cat([x_t] * 3), torch.cat([t] * 3)).chunk(3)
        return neither + video_scale * (video - neither) + text_scale * (both - video)

    return velocity


def _scale(guidance_scale: GuidanceScale, t: Tensor, like: Tensor) -> float | Tensor:
    if not callable(guidance_scale):
        return guidance_scale
    return guidance_scale(t).to(like).reshape(-1, *[1] * (like.dim() - 1))
