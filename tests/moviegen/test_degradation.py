"""Damage that an upsampler learns to undo: bounded, repeatable, the same in every frame but for noise."""

import math

import pytest
import torch

from moviegen.degradation import (
    DegradationConfig,
    RoundConfig,
    add_noise,
    degrade,
    filter_frames,
    gaussian_kernel,
    jpeg,
    sinc_kernel,
)

GENTLE = DegradationConfig(
    first=RoundConfig(0, resize=(1, 1), noise=(0, 0), jpeg=(95, 95)),
    second=RoundConfig(0, resize=(1, 1), noise=(0, 0), jpeg=(95, 95)),
    sinc_prob=0,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def clip():
    """A smooth moving picture (3, 4, 48, 64) in [-1, 1]."""
    t, y, x = torch.meshgrid(torch.arange(4.0), torch.arange(48.0), torch.arange(64.0), indexing="ij")
    return torch.stack([torch.sin(x / 5 + t), torch.cos(y / 4), torch.sin((x + y) / 9 - t)])


def test_the_same_seed_gives_the_same_damage_and_another_another(clip):
    first = degrade(clip, 24, 32, generator(1))
    assert first.shape == (3, 4, 24, 32)
    assert first.abs().max() <= 1
    assert torch.equal(first, degrade(clip, 24, 32, generator(1)))
    assert not torch.equal(first, degrade(clip, 24, 32, generator(2)))


def test_without_damage_only_the_size_changes(clip):
    small = degrade(clip, 24, 32, generator(), GENTLE)
    expected = torch.nn.functional.interpolate(clip.transpose(0, 1), (24, 32), mode="area").transpose(0, 1)
    assert (small - expected).abs().mean() < 0.05


def test_the_default_damage_is_strong_but_leaves_the_picture(clip):
    plain = torch.nn.functional.interpolate(clip.transpose(0, 1), (24, 32), mode="area").transpose(0, 1)
    errors, likeness = [], []
    for seed in range(12):
        damaged = degrade(clip, 24, 32, generator(seed))
        errors.append((damaged - plain).square().mean().sqrt().item())
        likeness.append(torch.corrcoef(torch.stack([damaged.flatten(), plain.flatten()]))[0, 1].item())
    assert min(errors) > 0.02
    assert sorted(likeness)[len(likeness) // 2] > 0.7


def test_the_autoencoder_takes_its_share(clip):
    """Instead of the other damage, at the small size [S §3.1.5]."""
    seen = []

    def round_trip(pixels):
        seen.append(pixels.shape)
        return pixels * 0

    results = [degrade(clip, 24, 32, generator(seed), round_trip=round_trip) for seed in range(60)]
    share = sum(not result.any() for result in results) / 60
    assert share == pytest.approx(0.5, abs=0.2)
    assert set(seen) == {(1, 3, 4, 24, 32)}


@pytest.mark.parametrize("kernel", [gaussian_kernel(1, 2, 0.3), sinc_kernel(math.pi / 2), sinc_kernel(math.pi)])
def test_filters_keep_flat_pictures(kernel):
    flat = torch.full((2, 3, 20, 20), 0.4)
    torch.testing.assert_close(filter_frames(flat, kernel), flat)
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)


def test_a_gaussian_is_as_wide_as_it_says():
    kernel = gaussian_kernel(2.0, 1.0, 0.0)
    reach = torch.arange(len(kernel)) - len(kernel) // 2
    assert (kernel.sum(0) * reach**2).sum().item() ** 0.5 == pytest.approx(2.0, rel=0.03)
    assert (kernel.sum(1) * reach**2).sum().item() ** 0.5 == pytest.approx(1.0, rel=0.03)


def test_a_sinc_filter_lets_low_frequencies_by_and_stops_high_ones():
    x = torch.arange(64.0).expand(1, 3, 64, 64)
    kernel = sinc_kernel(math.pi / 2)
    low, high = (filter_frames(torch.cos(f * x), kernel)[..., 16:48, 16:48] for f in (math.pi / 6, 5 * math.pi / 6))
    assert low.abs().max() > 0.9
    assert high.abs().max() < 0.15


def test_noise_is_fresh_in_every_frame_and_gray_when_drawn_so():
    frames = torch.full((3, 3, 32, 32), 0.5)
    noise = add_noise(frames, RoundConfig(gray_noise_prob=1, noise=(0.1, 0.1)), generator()) - frames
    assert torch.allclose(noise[:, 0], noise[:, 1])
    assert (noise[0] - noise[1]).std() > 0.05
    colour = add_noise(frames, RoundConfig(gray_noise_prob=0, noise=(0.1, 0.1)), generator()) - frames
    assert (colour[:, 0] - colour[:, 1]).std() > 0.05


def test_jpeg_loses_more_at_lower_quality(clip):
    frames = clip.transpose(0, 1) * 0.5 + 0.5
    errors = [(jpeg(frames, quality) - frames).square().mean().item() for quality in (95, 50, 10)]
    assert errors == sorted(errors)
    assert errors[0] < 1e-3
