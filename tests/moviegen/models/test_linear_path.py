"""The linear path beside the TAE: principal components, as numpy finds them, and nothing else before training."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from moviegen.models.linear_path import BlockMoments, LinearPath, fit_linear_path
from moviegen.models.tae import TAE, TAEConfig

TINY = TAEConfig(
    channels=8, multipliers=(1, 2, 2), num_res_blocks=1, latent_channels=4, norm_groups=4, patch_px=2,
    spatial_downsample_levels=(0,), temporal_downsample_levels=(1,), tile_frames=4, tile_overlap_frames=2, linear_path=True,
)  # fmt: skip
"""4x4 pixels and 2 frames a latent position."""


def clips(seed: int, num_frames: int = 5) -> torch.Tensor:
    """Smooth clips, (6, 3, T, 16, 8) in [-1, 1]: noise of few pixels, enlarged."""
    small = torch.randn(6, 3, num_frames, 4, 2, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(small, size=(num_frames, 16, 8), mode="trilinear").clamp(-1, 1)


def fitted(path: LinearPath, *batches: torch.Tensor) -> float:
    return fit_linear_path(path, BlockMoments(path, batches))


def test_blocks_become_pixels_again():
    path = LinearPath(2, 4, 96)
    with torch.no_grad():
        path.encode.weight.copy_(torch.eye(96))
        path.encode.bias.zero_()
        path.decode.weight.copy_(torch.eye(96))
        path.decode.bias.zero_()
    x = clips(0, num_frames=4)
    assert torch.equal(path.pixels(path.latents(x)), x)


def test_the_fit_is_the_principal_components_that_numpy_finds():
    path, x = LinearPath(2, 4, 4), clips(1, num_frames=4)
    kept = fitted(path, x[:4], x[4:])
    rows = path.blocks(x).flatten(0, 3).double().numpy()
    centred = rows - rows.mean(0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    assert kept == pytest.approx((values[:4] ** 2).sum() / (values**2).sum(), rel=1e-5)
    best = centred @ axes[:4].T @ axes[:4] + rows.mean(0)
    shown = path.decode(path.encode(torch.from_numpy(rows).float())).detach().numpy()
    np.testing.assert_allclose(shown, best, atol=1e-4)
    latents = path.latents(x)
    torch.testing.assert_close(latents.mean((0, 2, 3, 4)), torch.zeros(4), rtol=0, atol=1e-4)
    spread = latents.std((0, 2, 3, 4), correction=0).double()
    deviations = torch.from_numpy(values[:4]) / len(rows) ** 0.5
    torch.testing.assert_close(spread, (deviations / deviations.mean()).sqrt(), rtol=1e-3, atol=0)
    assert float(spread.square().mean()) == pytest.approx(1, rel=1e-3)


def test_two_fits_of_the_same_data_are_the_same():
    first, second = LinearPath(2, 4, 4), LinearPath(2, 4, 4)
    fitted(first, clips(2))
    fitted(second, clips(2))
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    assert bool(first.is_fitted)


def test_too_few_blocks_are_refused():
    path = LinearPath(2, 4, 8)
    with pytest.raises(ValueError, match="4 blocks of pixels are too few to fit 8"):
        fitted(path, torch.rand(1, 3, 2, 8, 8))


@torch.no_grad()
@pytest.mark.parametrize("num_frames", [1, 4, 5])
def test_before_training_a_tae_is_its_linear_path(num_frames):
    torch.manual_seed(0)
    model = TAE(TINY)
    fitted(model.linear_path, clips(3))
    x = clips(4, num_frames)
    z = model.encode(x).mean
    torch.testing.assert_close(z, model.linear_path.latents(x))
    torch.testing.assert_close(model.decode(z, num_frames), model.linear_path.pixels(z)[:, :, :num_frames])
    torch.testing.assert_close(model.encode(x, tiled=True).mean, z)


def test_a_tae_without_the_path_has_no_weights_of_it():
    names = TAE(replace(TINY, linear_path=False)).state_dict()
    assert not [name for name in names if "linear_path" in name]
