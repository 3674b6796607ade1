"""A network and its judge: who learns from what, and what the balance is."""

import pytest
import torch
from torch import nn

from training.losses import frozen_forward, spectral_distance
from training.modules.adversarial import adaptive_weight


def test_one_backward_teaches_each_side_by_its_own_loss():
    torch.manual_seed(0)
    network, judge = nn.Linear(3, 3), nn.Linear(3, 1)
    x = torch.randn(4, 3)
    fake = network(x)
    (-frozen_forward(judge, fake).mean() + judge(fake.detach()).square().mean()).backward()
    both = {name: p.grad.clone() for name, p in (*network.named_parameters(), *judge.named_parameters(prefix="judge"))}
    network.zero_grad()
    judge.zero_grad()
    (-judge(network(x)).mean()).backward()
    assert all(torch.allclose(both[name], p.grad) for name, p in network.named_parameters())
    judge.zero_grad()
    judge(network(x).detach()).square().mean().backward()
    assert all(torch.allclose(both[name], p.grad) for name, p in judge.named_parameters(prefix="judge"))


def test_the_balance_makes_both_gradients_equally_long():
    last = nn.Parameter(torch.tensor([1.0, 2.0]))
    reconstruction, contest = (last * torch.tensor([3.0, 4.0])).sum(), 0.01 * last.sum()
    weight = adaptive_weight(reconstruction, contest, last)
    assert float(weight) == pytest.approx(5 / (0.01 * 2**0.5 + 1e-4))
    assert not weight.requires_grad
    assert float(adaptive_weight(reconstruction, 0 * contest, last)) == 1e4


def test_spectra_differ_by_pitch_and_not_by_sign():
    time_s = torch.arange(4000) / 16000
    low, high = (torch.sin(2 * torch.pi * hz * time_s)[None, None] for hz in (220.0, 440.0))
    windows = (512, 128)
    assert float(spectral_distance(low, low, windows)) == 0
    assert float(spectral_distance(low, -low, windows)) == pytest.approx(0, abs=1e-5)
    assert float(spectral_distance(low, high, windows)) > 10 * float(spectral_distance(low, 0.95 * low, windows)) > 0
    silence = torch.zeros_like(low, requires_grad=True)
    spectral_distance(silence, low, windows).backward()
    assert torch.isfinite(silence.grad).all()
