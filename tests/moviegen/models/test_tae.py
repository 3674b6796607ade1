"""The temporal autoencoder: the frame rule, what an image sees, tiles, and the distribution of its latents."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from moviegen.config import load_config
from moviegen.models.tae import TAE, LatentDistribution, TAEConfig
from moviegen.models.tae_layers import (
    Conv,
    FrameNorm,
    ResidualBlock,
    SpatialAttention,
    TemporalAttention,
    TemporalConv,
    fold_frames,
    unfold_frames,
)

TINY = TAEConfig(channels=8, multipliers=(1, 2, 2, 2), num_res_blocks=1, latent_channels=4, norm_groups=4)


@pytest.fixture(scope="module")
def tae() -> TAE:
    torch.manual_seed(0)
    return TAE(TINY).eval()


def stir(model: nn.Module) -> None:
    """Random weights where they start as nothing or as the identity, so that frames really see each other."""
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, TemporalConv | SpatialAttention):
            for parameter in module.parameters():
                nn.init.normal_(parameter, std=0.2)
        if isinstance(module, ResidualBlock):
            module.conv_2.spatial.reset_parameters()


@pytest.fixture(scope="module")
def stirred() -> TAE:
    torch.manual_seed(0)
    model = TAE(TINY).eval()
    stir(model)
    return model


@torch.no_grad()
@pytest.mark.parametrize("num_frames", [1, 2, 7, 8, 9, 16, 32])
def test_latent_frames_are_an_eighth_rounded_up_and_decoding_gives_every_frame_back_s_3_1_1(stirred, num_frames):
    x = torch.rand(1, 3, num_frames, 16, 24) * 2 - 1
    z = stirred.encode(x).mean
    assert z.shape == (1, 4, -(-num_frames // 8), 2, 3)
    assert stirred.num_latent_frames(num_frames) == z.shape[2]
    assert stirred.decode(z, num_frames).shape == x.shape


@torch.no_grad()
def test_256_frames_are_8_tiles_there_and_15_tiles_back_s_3_1_1(tae):
    x = torch.rand(1, 3, 256, 8, 8) * 2 - 1
    calls = count_calls(tae.encoder)
    z = tae.encode(x, tiled=True).mean
    assert z.shape[2] == 32
    assert calls() == [32] * 8
    calls = count_calls(tae.decoder)
    assert tae.decode(z, 256, tiled=True).shape == x.shape
    assert calls() == [4] * 15


def count_calls(module: nn.Module):
    """A function that removes the hook and returns the frames of each call."""
    seen = []
    hook = module.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[2]))
    return lambda: hook.remove() or seen


@torch.no_grad()
def test_an_image_is_what_the_image_autoencoder_makes_of_it(tae):
    """Freshly inflated (temporal convolutions identity, temporal attention silent), the network is its 2D part frame by frame."""
    x = torch.rand(2, 3, 1, 16, 16) * 2 - 1
    flat = TAE(TINY).eval()
    flat.load_state_dict(tae.state_dict())
    for module in flat.modules():
        for name, child in module.named_children():
            if isinstance(child, TemporalConv | TemporalAttention):
                setattr(module, name, nn.Identity())
        if isinstance(module, Conv):
            module.temporal_upsample = False
    z = tae.encode(x).mean
    torch.testing.assert_close(z, flat.encode(x).mean, rtol=0, atol=1e-4)
    torch.testing.assert_close(tae.decode(z, 1), flat.decoder(z), rtol=0, atol=1e-4)


@torch.no_grad()
def test_a_still_video_is_its_image_at_any_length(stirred):
    """Replicate padding makes a constant video see only itself, however the temporal weights are [S §7.2]."""
    image = torch.rand(1, 3, 1, 16, 16) * 2 - 1
    for num_frames in (8, 24):
        latents = stirred.encode(image.expand(-1, -1, num_frames, -1, -1)).mean
        torch.testing.assert_close(latents, stirred.encode(image).mean.expand_as(latents), rtol=0, atol=1e-5)


@torch.no_grad()
def test_tiling_changes_nothing_where_one_tile_is_enough(stirred):
    x = torch.rand(1, 3, 32, 16, 16) * 2 - 1
    z = stirred.encode(x).mean
    assert torch.equal(stirred.encode(x, tiled=True).mean, z)
    assert torch.equal(stirred.decode(z, 32, tiled=True), stirred.decode(z, 32))


@torch.no_grad()
def test_tiled_decoding_of_a_still_video_is_still_and_exact(stirred):
    z = torch.randn(1, 4, 1, 2, 2).expand(-1, -1, 9, -1, -1)
    torch.testing.assert_close(stirred.decode(z, 72, tiled=True), stirred.decode(z, 72), rtol=0, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("num_frames", [1, 2, 5, 8])
def test_temporal_convolution_is_conv1d_on_replicated_edges(stride, num_frames):
    conv = TemporalConv(6, stride=stride)
    nn.init.normal_(conv.weight)
    x = torch.randn(2, 6, num_frames, 3, 4)
    rows = x.permute(0, 3, 4, 1, 2).reshape(-1, 6, num_frames)
    padded = torch.cat([rows[..., :1], rows, rows[..., -1:]], dim=-1)
    expected = F.conv1d(padded, conv.weight, conv.bias, stride=stride)
    expected = expected.reshape(2, 3, 4, 6, -1).permute(0, 3, 4, 1, 2)
    out = conv(x.contiguous(memory_format=torch.channels_last_3d))
    assert out.shape[2] == -(-num_frames // stride)
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_frames_see_each_other_in_time_only_when_trained_to(tae, stirred):
    x = torch.rand(1, 3, 16, 16, 16) * 2 - 1
    changed = x.clone()
    changed[:, :, 12:] *= -1
    for model, sees in ((tae, False), (stirred, True)):
        difference = (model.encode(x).mean - model.encode(changed).mean).abs().amax((0, 1, 3, 4))
        assert (difference[0] > 1e-6) == sees
        assert difference[1] > 1e-6 or not sees


@torch.no_grad()
def test_norm_is_per_frame():
    norm = FrameNorm(2, 4)
    x = torch.randn(2, 4, 3, 5, 5)
    expected = torch.stack([F.group_norm(x[:, :, t], 2, norm.weight, norm.bias) for t in range(3)], dim=2)
    torch.testing.assert_close(norm(x), expected, rtol=1e-4, atol=1e-5)


def test_folding_frames_is_undone_by_unfolding():
    x = torch.randn(2, 3, 5, 4, 4)
    assert torch.equal(unfold_frames(fold_frames(x), 5), x)


def test_every_parameter_learns():
    torch.manual_seed(0)
    model = TAE(TINY)
    stir(model)  # silent attention lets no gradient through to its queries
    x = torch.rand(2, 3, 9, 16, 16) * 2 - 1
    latents = model.encode(x)
    loss = (model.decode(latents.sample(), 9) - x).abs().mean() + 1e-6 * latents.kl().mean()
    loss.backward()
    still = [name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert still == []


def test_kl_and_samples_agree_with_torch_distributions():
    generator = torch.Generator().manual_seed(0)
    latents = LatentDistribution(
        torch.randn(2, 4, 1, 3, 3, generator=generator), torch.randn(2, 4, 1, 3, 3, generator=generator)
    )
    normal = torch.distributions.Normal(latents.mean, (0.5 * latents.logvar).exp())
    expected = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).flatten(1).sum(1)
    torch.testing.assert_close(latents.kl(), expected)
    draws = torch.stack([latents.sample(generator) for _ in range(4000)])
    torch.testing.assert_close(draws.mean(0), latents.mean, rtol=0, atol=0.2)
    torch.testing.assert_close(draws.std(0), normal.stddev, rtol=0.1, atol=0)
    same = [latents.sample(torch.Generator().manual_seed(5)) for _ in range(2)]
    assert torch.equal(*same)


def test_normalising_is_undone_and_centres_each_channel():
    model = TAE(TINY)
    z = torch.randn(8, 4, 2, 6, 6) * torch.tensor([1.0, 2, 3, 4]).view(4, 1, 1, 1) + 5
    model.latent_mean.copy_(z.mean((0, 2, 3, 4)))
    model.latent_std.copy_(z.std((0, 2, 3, 4)))
    normal = model.normalize(z)
    torch.testing.assert_close(normal.mean((0, 2, 3, 4)), torch.zeros(4), rtol=0, atol=1e-5)
    torch.testing.assert_close(normal.std((0, 2, 3, 4)), torch.ones(4))
    torch.testing.assert_close(model.denormalize(normal), z)
    assert {"latent_mean", "latent_std"} <= set(model.state_dict())


def test_full_size_compresses_as_the_paper_s(repo_root):
    config = load_config(TAEConfig, repo_root / "configs/models/tae/full.yaml")
    assert (config.temporal_factor, config.spatial_factor, config.latent_channels) == (8, 8, 16)
    assert config == TAEConfig()
    with torch.device("meta"):
        model = TAE(config)
    assert 80e6 < sum(p.numel() for p in model.parameters()) < 200e6
    z = model.encode(torch.empty(1, 3, 16, 64, 48, device="meta")).mean
    assert z.shape == (1, 16, 2, 8, 6)


@torch.no_grad()
@pytest.mark.parametrize(
    ("change", "temporal", "spatial"),
    [
        ({"temporal_downsample_levels": (1,)}, 2, 8),
        ({"spatial_downsample_levels": (2,)}, 8, 2),
        ({"spatial_downsample_levels": (1, 2), "patch_px": 2}, 8, 8),
    ],
)
def test_levels_and_patches_make_the_factors(change, temporal, spatial):
    model = TAE(replace(TINY, **change))
    assert (model.config.temporal_factor, model.config.spatial_factor) == (temporal, spatial)
    z = model.encode(torch.rand(1, 3, 5, 16, 24)).mean
    assert z.shape == (1, 4, -(-5 // temporal), 16 // spatial, 24 // spatial)
    assert model.decode(z, 5).shape == (1, 3, 5, 16, 24)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temporal_downsample_levels": (0, 3)}, r"\[3\]"),
        ({"norm_groups": 3}, "norm_groups"),
        ({"tile_frames": 20}, "tile_frames 20 is no multiple of 8"),
    ],
)
def test_impossible_sizes_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


def test_shapes_that_do_not_fit_are_named(tae):
    with pytest.raises(ValueError, match=r"\(1, 3, 4, 12, 16\).*multiples of 8"):
        tae.encode(torch.zeros(1, 3, 4, 12, 16))
    with pytest.raises(ValueError, match=r"\(B, 4, 2, h, w\)"):
        tae.decode(torch.zeros(1, 4, 3, 2, 2), 9)
