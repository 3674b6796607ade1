"""A network and its judge: who learns from what, and what the balance is."""

import pytest
import torch
from torch import nn

from moviegen.errors import UsageError
from training.losses import frozen_forward, spectral_convergence, spectral_distance
from training.modules.adversarial import adaptive_weight
from training.modules.audio_codec import AudioCodecModule


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


def test_below_its_floor_the_spectral_distance_hears_nothing_in_decades():
    """Two draws of one hiss differ by tenths of a decade everywhere, unless they lie below the floor; a tone above it is still missed."""
    hiss = 1e-4 * torch.randn(2, 1, 4096, generator=torch.Generator().manual_seed(0))
    tone = hiss[:1] + torch.sin(torch.arange(4096) / 5)
    heard, unheard = (float(spectral_distance(hiss[:1], hiss[1:], (256,), floor)) for floor in (1e-5, 0.1))
    assert unheard < 0.01 < 0.2 < heard
    assert float(spectral_distance(tone, hiss[1:], (256,), 0.1)) > 0.2


def test_convergence_asks_for_the_mean_of_sounds_where_the_distance_asks_for_their_median():
    """One sound for a tone and three silences: of all its levels, silence is best by absolute difference, a quiet tone by squares."""
    tone = torch.sin(torch.arange(2048) / 3)[None, None]
    sounds = torch.cat([tone, torch.zeros(3, 1, 2048)])
    levels = (0.0, 0.25, 0.5, 1.0)
    by_square = [float(spectral_convergence(level * tone.expand(4, 1, -1), sounds, (256,))) for level in levels]
    by_distance = [float(spectral_distance(level * tone.expand(4, 1, -1), sounds, (256,), 0.05)) for level in levels]
    assert min(by_square) == by_square[1]
    assert min(by_distance) == by_distance[0]
    assert by_square[0] == pytest.approx(1)
    assert float(spectral_convergence(-sounds, sounds, (256, 64))) == pytest.approx(0, abs=1e-5)


def test_a_start_for_weights_that_are_there_is_refused():
    with pytest.raises(UsageError, match="start even is for a new network"):
        AudioCodecModule(init_from="run/model", start="even")
