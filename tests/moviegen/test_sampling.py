"""The grid of t, Euler's method and guidance, each against something known."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moviegen.flow import SIGMA_MIN, flow_point
from moviegen.models.text import TextContext
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig
from moviegen.sampling import (
    SOLVERS,
    edit_guided,
    euler,
    euler_step,
    guided,
    guided_pair,
    integrate,
    integrate_windows,
    linear_quadratic_t,
    linear_t,
    midpoint_step,
    rising_guidance,
)
from moviegen.windows import fade_masks, shaped_masks, tile_spans


def test_the_paper_s_schedule_s_3_4_2():
    t = linear_quadratic_t().double()
    assert len(t) == 51
    assert (t[0], t[-1]) == (0, 1)
    assert (t.diff() > 0).all()
    torch.testing.assert_close(t[:26], torch.arange(26).double() / 250, rtol=0, atol=1e-7)
    assert t[26].item() == pytest.approx(0.10528, abs=1e-6)  # the coefficients a=0.00128, b=-0.06, c=0.8 at i=26


@pytest.mark.parametrize(("steps", "emulate", "linear"), [(50, 250, 25), (50, 1000, 25), (64, 250, 20), (8, 250, 4)])
def test_c1_is_the_public_formula(steps, emulate, linear):
    """a i^2 + b i + c with coefficients as other samplers write them [spec 2.6, variant A]."""
    tau, rest = linear / emulate, steps - linear
    d = linear - tau * steps
    a = d / (linear * rest**2)
    b = tau / linear - 2 * d / rest**2
    c = a * linear**2
    i = torch.arange(linear, steps + 1).double()
    t = linear_quadratic_t(steps, emulate, linear).double()
    torch.testing.assert_close(t[linear:], a * i**2 + b * i + c, rtol=0, atol=1e-6)


@settings(deadline=None)
@given(st.integers(2, 120), st.integers(1, 10), st.sampled_from(["c1", "quadratic"]))
def test_every_schedule_rises_from_0_to_1(steps, factor, variant):
    t = linear_quadratic_t(steps, steps * factor, variant=variant)
    assert len(t) == steps + 1
    assert t[0] == 0
    assert t[-1] == 1
    assert (t.diff() > 0).all()


def test_c1_steps_never_shrink_and_the_pure_parabola_has_a_kink():
    assert (linear_quadratic_t(variant="c1").double().diff().diff() > -1e-6).all()
    kinked = linear_quadratic_t(variant="quadratic").diff()
    assert kinked[25] < kinked[24]


@pytest.mark.parametrize("bad", [(0, 250, None), (50, 20, None), (50, 250, 50), (50, 250, -1)])
def test_impossible_schedules_are_refused(bad):
    with pytest.raises(ValueError, match="schedule"):
        linear_quadratic_t(*bad)


def test_unknown_variant_lists_the_right_ones():
    with pytest.raises(ValueError, match="'c1', 'quadratic'"):
        linear_quadratic_t(variant="cubic")


@pytest.mark.parametrize("grid", [linear_quadratic_t(), linear_t(7), linear_quadratic_t(10, variant="quadratic")])
def test_euler_follows_a_straight_path_to_its_end_on_any_grid(grid):
    generator = torch.Generator().manual_seed(0)
    x_0, x_1 = torch.randn(2, 4, generator=generator).double(), torch.randn(2, 4, generator=generator).double()
    velocity = flow_point(x_0, x_1, torch.zeros(2)).velocity
    steps = []
    end = euler(lambda x, t: velocity, x_0, grid, lambda step, total: steps.append((step, total)))
    torch.testing.assert_close(end, x_1 + SIGMA_MIN * x_0, rtol=0, atol=1e-5)
    assert steps == [(i + 1, len(grid) - 1) for i in range(len(grid) - 1)]


def test_euler_asks_at_each_step_s_beginning():
    seen = []

    def velocity(x, t):
        seen.append(t.tolist())
        return torch.zeros_like(x)

    euler(velocity, torch.zeros(2, 1), torch.tensor([0.0, 0.25, 1.0]))
    assert seen == [[0.0, 0.0], [0.25, 0.25]]


def test_euler_samples_the_data_when_the_velocity_is_the_true_one():
    """Data N(3, 0.5²): the marginal velocity is known in closed form, so samples must have the data's mean and std."""
    mean, std = 3.0, 0.5

    def velocity(x, t):
        t = t[:, None]
        noise_share = 1 - (1 - SIGMA_MIN) * t
        variance = (t * std) ** 2 + noise_share**2
        centred = x - t * mean
        return mean + (t * std**2 - (1 - SIGMA_MIN) * noise_share) / variance * centred

    x = euler(velocity, torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0)), linear_t(400))
    assert x.mean().item() == pytest.approx(mean, abs=0.02)
    assert x.std().item() == pytest.approx(std, abs=0.02)


def random_network() -> VideoDiT:
    torch.manual_seed(0)
    config = VideoDiTConfig(
        dim=32, num_layers=2, num_heads=2, ffn_dim=64, latent_channels=4, context_widths=(8,),
        max_frames=2, max_height=4, max_width=4,
    )  # fmt: skip
    network = VideoDiT(config).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network


def context(length: int, real: int, seed: int) -> TextContext:
    mask = torch.arange(length) < real
    return TextContext(torch.randn(2, length, 8, generator=torch.Generator().manual_seed(seed)), mask.expand(2, -1))


@torch.no_grad()
def test_guidance_is_what_it_says_and_batching_changes_nothing():
    network = random_network()
    x, t = torch.randn(2, 4, 2, 4, 4, generator=torch.Generator().manual_seed(1)), torch.tensor([0.2, 0.2])
    cond, uncond = [context(7, 5, 2)], [context(1, 1, 3)]
    u_cond, u_uncond = network(x, t, cond), network(x, t, uncond)
    assert (u_cond - u_uncond).abs().max() > 1e-3
    for scale in (0.0, 1.0, 7.5):
        expected = u_uncond + scale * (u_cond - u_uncond)
        torch.testing.assert_close(guided(network, cond, uncond, scale)(x, t), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("step", "order"), [(euler_step, 1), (midpoint_step, 2)])
def test_a_solver_s_error_shrinks_with_its_order(step, order):
    """dx/dt = x from 1: the end is e."""
    errors = []
    for num_steps in (64, 128):
        end = integrate(lambda x, t: x, torch.ones(1, 1, dtype=torch.float64), linear_t(num_steps).double(), step)
        errors.append(abs(end.item() - math.e))
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.05)


@pytest.mark.parametrize("step", SOLVERS.values())
def test_windows_that_agree_are_one_sample(step):
    """Windows whose velocity does not depend on the window give what no windows give, for fades and triangles."""
    x_0 = torch.randn(2, 3, 34, 2, generator=torch.Generator().manual_seed(0)).double()
    whole = integrate(lambda x, t: torch.sin(x), x_0, linear_t(6), step)
    spans = tile_spans(34, 14, 4)  # the upsampler's [S §3.1.5]
    for masks in (fade_masks(spans), shaped_masks(spans)):
        windows = integrate_windows([lambda x, t: torch.sin(x)] * len(spans), spans, masks, x_0, linear_t(6), step)
        torch.testing.assert_close(windows, whole, rtol=0, atol=1e-12)


def test_windows_that_differ_meet_in_between_at_every_step():
    spans = [(0, 4), (2, 6)]
    pulls = [lambda x, t: torch.ones_like(x), lambda x, t: -torch.ones_like(x)]
    end = integrate_windows(pulls, spans, fade_masks(spans), torch.zeros(1, 1, 6, 1), linear_t(4))
    torch.testing.assert_close(end.flatten(), torch.tensor([1, 1, 0.5, -0.5, -1, -1]))


def test_a_window_too_few_is_told():
    with pytest.raises(ValueError, match="one a window"):
        integrate_windows([], [(0, 4)], [torch.ones(4)], torch.zeros(1, 1, 4), linear_t(2))


def test_rising_guidance_is_its_mean_over_the_way():
    t = torch.linspace(0, 1, 1001)
    weights = rising_guidance(3.0)(t)
    assert weights.mean().item() == pytest.approx(3.0, abs=1e-5)
    assert (weights.diff() > 0).all()


def test_a_guidance_scale_may_depend_on_each_sample_s_t():
    pair = guided_pair(lambda x, t: torch.cat([torch.zeros(2, 1), torch.ones(2, 1)]), rising_guidance(3.0))
    torch.testing.assert_close(pair(torch.zeros(2, 1), torch.tensor([0.0, 0.5])), torch.tensor([[0.0], [3.0]]))


def test_edit_guidance_weighs_video_and_instruction_apart():
    branches = torch.tensor([[1.0], [3.0], [10.0]])  # neither, video, both
    velocity = edit_guided(lambda x, t: branches, video_scale=1.5, text_scale=7.5)
    assert velocity(torch.zeros(1, 1), torch.zeros(1)).item() == pytest.approx(1 + 1.5 * 2 + 7.5 * 7)
    alone = edit_guided(lambda x, t: branches, video_scale=1, text_scale=1)
    assert alone(torch.zeros(1, 1), torch.zeros(1)).item() == 10
