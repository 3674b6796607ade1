"""The path from noise to data: ends, slope, and the distribution of t."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moviegen.flow import SIGMA_MIN, flow_loss, flow_point, sample_t


def ends(seed: int = 0, shape: tuple[int, ...] = (3, 2, 2, 4, 4)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator).double(), torch.randn(shape, generator=generator).double()


def test_the_path_starts_at_the_noise_and_ends_at_the_data_s_3_1_2():
    x_0, x_1 = ends()
    assert torch.equal(flow_point(x_0, x_1, torch.zeros(3)).x_t, x_0)
    at_one = flow_point(x_0, x_1, torch.ones(3)).x_t
    torch.testing.assert_close(at_one, x_1 + SIGMA_MIN * x_0, rtol=0, atol=1e-12)


@settings(deadline=None)
@given(st.floats(0.01, 0.99), st.sampled_from([0.0, 1e-5, 0.1]))
def test_the_velocity_is_the_slope_of_the_path_s_3_1_2(t, sigma_min):
    x_0, x_1 = ends()
    step = 1e-3
    before = flow_point(x_0, x_1, torch.full((3,), t - step, dtype=torch.double), sigma_min)
    after = flow_point(x_0, x_1, torch.full((3,), t + step, dtype=torch.double), sigma_min)
    torch.testing.assert_close((after.x_t - before.x_t) / (2 * step), before.velocity, rtol=0, atol=1e-9)


def test_each_sample_has_its_own_t():
    x_0, x_1 = ends()
    together = flow_point(x_0, x_1, torch.tensor([0.1, 0.5, 0.9])).x_t
    alone = flow_point(x_0[1:2], x_1[1:2], torch.tensor([0.5])).x_t
    assert torch.equal(together[1:2], alone)


def test_t_is_logit_normal_s_3_1_2():
    t = sample_t(200_000, torch.Generator().manual_seed(1))
    assert 0 < t.min() < t.max() < 1
    assert t.median() == pytest.approx(0.5, abs=0.005)
    assert (t < 0.26894).float().mean() == pytest.approx(0.15866, abs=0.004)  # sigmoid(-1); one std below the mean


def test_the_same_generator_gives_the_same_t():
    assert torch.equal(sample_t(5, torch.Generator().manual_seed(2)), sample_t(5, torch.Generator().manual_seed(2)))


def test_the_loss_is_the_mean_square_and_zero_on_the_truth():
    x_0, x_1 = ends()
    velocity = flow_point(x_0, x_1, torch.full((3,), 0.3)).velocity
    assert flow_loss(velocity, velocity) == 0
    assert flow_loss(velocity + 2, velocity).item() == pytest.approx(4)


def test_what_does_not_fit_is_refused():
    x_0, x_1 = ends()
    with pytest.raises(ValueError, match="one shape"):
        flow_point(x_0[:2], x_1, torch.zeros(3))
    with pytest.raises(ValueError, match="one time a sample"):
        flow_point(x_0, x_1, torch.zeros(2))
    with pytest.raises(ValueError, match="prediction"):
        flow_loss(x_0[:, :1], x_0)
