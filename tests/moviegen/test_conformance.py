"""The maths against other libraries: same inputs, same numbers. They come with `pip install moviegen[bench]` and are not in the core.

The direction differs: diffusers' sigma is our 1 - t, and its velocity has the other sign.
"""

import pytest
import torch

from moviegen.flow import SIGMA_MIN, flow_point
from moviegen.sampling import euler_step, integrate, linear_quadratic_t, linear_t, midpoint_step

NEEDED = "comparison package of moviegen[bench]"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_path_and_its_velocity_are_flow_matching_s(dtype):
    """Tolerance 0 [S §3.1.2]."""
    path = pytest.importorskip("flow_matching.path", reason=NEEDED)
    scheduler = pytest.importorskip("flow_matching.path.scheduler", reason=NEEDED)

    class Ours(scheduler.Scheduler):
        """alpha = t, sigma = 1 - (1 - sigma_min) t."""

        def __call__(self, t):
            ones = torch.ones_like(t)
            return scheduler.SchedulerOutput(
                alpha_t=t, sigma_t=1 - (1 - SIGMA_MIN) * t, d_alpha_t=ones, d_sigma_t=-(1 - SIGMA_MIN) * ones
            )

        def snr_inverse(self, snr):
            raise NotImplementedError

    generator = torch.Generator().manual_seed(0)
    x_0, x_1 = (torch.randn(4, 3, 2, generator=generator, dtype=dtype) for _ in range(2))
    t = torch.tensor([0, 0.25, 0.7, 1], dtype=dtype)
    theirs = path.AffineProbPath(scheduler=Ours()).sample(x_0=x_0, x_1=x_1, t=t)
    ours = flow_point(x_0, x_1, t)
    assert torch.equal(ours.x_t, theirs.x_t)
    assert torch.equal(ours.velocity, theirs.dx_t)


@pytest.mark.parametrize(("method", "step"), [("euler", euler_step), ("midpoint", midpoint_step)])
def test_solvers_are_flow_matching_s(method, step):
    """Tolerance 0."""
    solver = pytest.importorskip("flow_matching.solver", reason=NEEDED)
    x_0 = torch.randn(3, 2, generator=torch.Generator().manual_seed(0)).double()

    def velocity(x, t):
        return torch.sin(3 * x) + t.reshape(-1, *[1] * (x.dim() - 1)) if t.dim() else torch.sin(3 * x) + t

    grid = linear_quadratic_t(20, 100).double()
    theirs = solver.ODESolver(velocity_model=lambda x, t: velocity(x, t)).sample(
        x_init=x_0, step_size=None, method=method, time_grid=grid
    )
    assert torch.equal(integrate(velocity, x_0, grid, step), theirs)


def test_euler_is_diffusers_flow_match_euler():
    """To 5e-6: theirs counts sigma down in float32."""
    schedulers = pytest.importorskip("diffusers.schedulers", reason=NEEDED)
    scheduler = schedulers.FlowMatchEulerDiscreteScheduler(shift=1.0)
    grid = linear_t(50)
    scheduler.set_timesteps(sigmas=(1 - grid[:-1]).tolist())
    x_0 = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    x = x_0
    for t in scheduler.timesteps:
        x = scheduler.step(-torch.sin(3 * x), t, x).prev_sample
    torch.testing.assert_close(integrate(lambda x, t: torch.sin(3 * x), x_0, grid), x, rtol=0, atol=5e-6)


def test_linear_quadratic_is_diffusers_mochi():
    """To 1e-7, our float32 [S §3.4.2]; theirs lists sigmas without the last 0."""
    mochi = pytest.importorskip("diffusers.pipelines.mochi.pipeline_mochi", reason=NEEDED)
    theirs = torch.tensor(mochi.linear_quadratic_schedule(50, 25 / 250), dtype=torch.float64)
    torch.testing.assert_close(1 - linear_quadratic_t().double()[:-1], theirs, rtol=0, atol=1e-7)
