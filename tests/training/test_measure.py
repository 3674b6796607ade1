"""Moments of a codec's latents: those of all its posteriors together, and whether they tell of the sound."""

from types import SimpleNamespace

import pytest
import torch

from moviegen.models.audio_codec import AudioCodec, AudioCodecConfig, even_start
from training.measure import COLLAPSED, latent_moments

TINY = AudioCodecConfig(16000, 4, (4, 5), 16, 16, 3)
SOUNDS = 0.3 * torch.randn(5, 1, 400, generator=torch.Generator().manual_seed(0))


class Source:
    """Five sounds, half of the last one padding."""

    buckets = ("1x1-f2",) * 5

    def load(self, spec):
        (position,) = spec.samples
        return SimpleNamespace(sound=SOUNDS[position][None], num_samples=torch.tensor([200 if position == 4 else 400]))


@torch.no_grad()
def test_moments_are_those_of_draws_from_all_posteriors_without_padding():
    torch.manual_seed(0)
    codec = AudioCodec(TINY).double()
    codec.to_moments.weight = 3 * torch.randn_like(codec.to_moments.weight)
    found = latent_moments(codec.float(), Source(), 5)
    posteriors = [codec.encode(sound[None, :, : 200 if i == 4 else 400]) for i, sound in enumerate(SOUNDS)]
    draws = torch.cat([p.sample()[0] for _ in range(2000) for p in posteriors], dim=1)
    torch.testing.assert_close(found.mean, draws.mean(1), rtol=0.02, atol=0.01)
    torch.testing.assert_close(found.std, draws.std(1), rtol=0.02, atol=0)
    means = torch.cat([p.mean[0] for p in posteriors], dim=1)
    assert found.told == pytest.approx(float(means.var(1, correction=0).sum() / found.std.square().sum()), rel=1e-3)


def test_a_codec_that_tells_nothing_is_known():
    torch.manual_seed(0)
    silent, speaking = AudioCodec(TINY), even_start(AudioCodec(TINY))
    assert latent_moments(silent, Source(), 5).told < COLLAPSED < 0.9 < latent_moments(speaking, Source(), 5).told
