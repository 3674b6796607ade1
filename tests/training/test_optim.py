"""Groups of parameters and the learning rate over the steps."""

import pytest
import torch
from torch import nn

from training.optim import OptimizerConfig, Plateau, lr_factor, make_optimizer, make_schedule


def test_vectors_are_not_decayed_and_frozen_parameters_not_held():
    network = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    network[2].requires_grad_(False)
    optimizer = make_optimizer([network], OptimizerConfig(weight_decay=0.3))
    decayed, plain = optimizer.param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(4, 4)]
    assert {tuple(p.shape) for p in plain["params"]} == {(4,)}
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.3, 0.0)


def test_the_learning_rate_rises_stays_or_falls():
    constant = OptimizerConfig(lr=1.0, warmup_steps=4)
    assert [lr_factor(step, constant) for step in (0, 1, 3, 4, 1000)] == [0.25, 0.5, 1.0, 1.0, 1.0]
    cosine = OptimizerConfig(lr=1.0, warmup_steps=10, schedule="cosine", decay_steps=110, end_fraction=0.2)
    values = [lr_factor(step, cosine) for step in range(200)]
    assert values[10] == 1.0
    assert values[60] == pytest.approx(0.6)
    assert values[110] == values[199] == pytest.approx(0.2)
    assert values[10:111] == sorted(values[10:111], reverse=True)


def test_cosine_ends_at_the_stages_last_step_when_not_told():
    config = OptimizerConfig(warmup_steps=0, schedule="cosine")
    assert lr_factor(100, config, max_steps=100) == pytest.approx(0.1)
    with pytest.raises(ValueError, match=r"set optimizer.decay_steps"):
        lr_factor(100, config)


def test_the_schedule_drives_the_optimizer():
    parameter = nn.Parameter(torch.ones(2, 2))
    holder = nn.ParameterList([parameter])
    config = OptimizerConfig(lr=0.5, warmup_steps=2)
    optimizer = make_optimizer([holder], config)
    schedule = make_schedule(optimizer, config, 10)
    rates = []
    for _ in range(4):
        parameter.grad = torch.ones_like(parameter)
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == [0.25, 0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    "values", [{"lr": 0}, {"decay_steps": 5}, {"schedule": "cosine", "decay_steps": 5, "warmup_steps": 5}]
)
def test_settings_that_make_no_sense_are_refused(values):
    with pytest.raises(ValueError, match="optimizer"):
        OptimizerConfig(**values)


def test_linear_falls_to_its_end():
    """The audio network's finetuning: 5000 steps up to 1e-4, then linear to 1e-8 [S 6.1.6]."""
    config = OptimizerConfig(lr=1e-4, warmup_steps=5000, schedule="linear", end_fraction=1e-4)
    values = [1e-4 * lr_factor(step, config, 50_000) for step in (4999, 5000, 27_500, 50_000)]
    assert values == pytest.approx([1e-4, 1e-4, 0.5e-4 * (1 + 1e-4), 1e-8])


def test_a_plateau_halves_once_and_never_below_its_end():
    plateau = Plateau(OptimizerConfig(schedule="plateau", plateau_patience=2, end_fraction=0.25))
    losses = [3.0, 2.0, 2.1, 2.2, 2.3, 1.9, 2.0, 2.0, 2.0, 2.0]
    assert [plateau.observe(loss) for loss in losses] == [
        False,
        False,
        False,
        True,
        False,
        False,
        False,
        True,
        False,
        False,
    ]
    assert plateau.scale == 0.25
    fresh = Plateau(plateau.config)
    fresh.load_state_dict(plateau.state_dict())
    assert (fresh.scale, fresh.best, fresh.num_worse) == (0.25, 1.9, plateau.num_worse)


def test_a_slower_network_keeps_its_own_rate_under_the_schedule():
    fast, slow = nn.Linear(2, 2), nn.Linear(2, 2)
    config = OptimizerConfig(lr=2e-5, warmup_steps=2)
    optimizer = make_optimizer([fast], config, [(slow, 1e-7)])
    make_schedule(optimizer, config, 10)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-5, 1e-5, 0.5e-7, 0.5e-7])
