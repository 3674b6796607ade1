"""Losses of the TAE: reconstruction, divergence, outliers, perception, discriminator [S §3.1.1].

The paper gives a weight only for the outlier penalty; the others are LDM's (our decision).
Axis letters: B batch, C channels, T frames, H W rows and columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from moviegen.models.convolution import Conv2d


@dataclass(frozen=True)
class TAELossConfig:
    """Weights and start steps of the TAE's losses."""

    l1: float = 1.0
    l2: float = 0.0
    """Mean square, for small models: it looks at the few pixels that are far off (our decision; the paper has none)."""
    kl: float = 1e-6
    """Of the divergence, summed over a sample's latent and averaged over its pixels, as in LDM."""
    opl: float = 1e5
    """Outlier penalty [S §3.1.1]."""
    opl_r: float = 3.0
    """Standard deviations from which a latent position is an outlier [S §3.1.1]."""
    opl_start_step: int = 0
    """First step with the outlier penalty; 50000 in the paper's ablation [S §3.6.4]."""
    opl_mode: Literal["channel_norm", "elementwise"] = "channel_norm"
    lpips: float = 0.0
    """Perceptual loss; needs `lpips_weights`."""
    lpips_weights: str | None = None
    """Safetensors file with VGG16's features and the linear heads; see `moviegen.models.lpips`."""
    gan: float = 0.0
    """PatchGAN, hinge loss; 0 builds no discriminator."""
    gan_start_step: int = 0
    """First step of the contest; the paper does not say, LDM's is 50000."""
    gan_adaptive: bool = True
    """Balances the contest with the reconstruction at the last layer, as LDM."""
    gan_channels: int = 64
    """Width of the discriminator."""

    def __post_init__(self) -> None:
        if self.lpips and not self.lpips_weights:
            raise ValueError(
                "losses.lpips is set: give its weights with losses.lpips_weights, or set losses.lpips to 0"
            )


def outlier_penalty(z: Tensor, r: float = 3.0, mode: str = "channel_norm") -> Tensor:
    """Mean over positions of max(|z_ij - mean| - r |std|, 0) [S §3.1.1, Eq 1]; a scalar. z is (B, C, T, H, W).

    Mean and std are taken over the positions of each frame, per channel; |.| is the norm over channels, or with
    `elementwise` the absolute value of each element (the paper does not say which; the first is our decision).
    """
    frames = rearrange(z, "b c t h w -> (b t) c (h w)").float()
    mean, std = frames.mean(-1, keepdim=True), frames.std(-1, correction=0, keepdim=True)
    if mode == "elementwise":
        return F.relu((frames - mean).abs() - r * std).mean()
    distance = torch.linalg.vector_norm(frames - mean, dim=1)
    return F.relu(distance - r * torch.linalg.vector_norm(std, dim=1)).mean()


class PatchDiscriminator(nn.Module):
    """PatchGAN over single frames: (B, 3, T, H, W) -> one logit for each patch of 46 px, 8 px apart.

    The paper says only that there is a discriminator [S §3.1.1, §7.2]; LDM's has a layer more, 70 px and a norm over the batch: ours is
    small enough for the tiny stages, and alike for any batch (our decision)."""

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [Conv2d(3, channels, 4, 2, 1), nn.LeakyReLU(0.2)]
        for width in (channels, 2 * channels):
            layers += [Conv2d(width, 2 * width, 4, 2, 1), nn.GroupNorm(8, 2 * width), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, Conv2d(4 * channels, 1, 4, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.layers(rearrange(pixels, "b c t h w -> (b t) c h w"))


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss of the discriminator's logits on data and on reconstructions."""
    return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())


def feature_distance(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of a discriminator's features on data and on reconstructions, averaged over its layers."""
    return torch.stack([(a.detach() - b).abs().mean() for a, b in zip(real, fake, strict=True)]).mean()


def frozen_forward(network: nn.Module, x: Tensor) -> Tensor:
    """The network's output, with gradients for `x` and none for its parameters: the generator's side of a GAN in one backward."""
    state = {name: p.detach() for name, p in network.named_parameters()}
    return torch.func.functional_call(network, state, (x,))


SPECTRAL_WINDOWS = (2048, 1024, 512, 256, 128, 64, 32)
"""Samples of each window, as in the descript codec (our decision)."""

SPECTRAL_FLOOR = 1e-5
"""Least magnitude that is told from silence, as in the descript codec (our decision)."""


def spectral_distance(
    x: Tensor, y: Tensor, windows: Sequence[int] = SPECTRAL_WINDOWS, floor: float = SPECTRAL_FLOOR
) -> Tensor:
    """Mean absolute difference of two waveforms' magnitudes, plain and in decades, averaged over windows; both (B, 1, N); a scalar.

    In decades, magnitudes below `floor` are all alike.
    """
    distances = []
    for window in windows:
        first, second = (_magnitudes(waves, window) for waves in (x, y))
        decades = (first.clamp_min(floor).log10() - second.clamp_min(floor).log10()).abs().mean()
        distances.append((first - second).abs().mean() + decades)
    return torch.stack(distances).mean()


def spectral_convergence(x: Tensor, y: Tensor, windows: Sequence[int] = SPECTRAL_WINDOWS) -> Tensor:
    """Norm of the difference of two waveforms' magnitudes over that of y's, of the whole batch, averaged over windows; both
    (B, 1, N); a scalar.

    In squares, so that a network that cannot yet tell two sounds apart makes something of both. The absolute difference asks it for the
    median, and of sounds that are rare in each band that is silence.
    """
    distances = []
    for window in windows:
        first, second = (_magnitudes(waves, window) for waves in (x, y))
        distances.append((first - second).norm() / second.norm().clamp_min(1e-6))
    return torch.stack(distances).mean()


def _magnitudes(waves: Tensor, window: int) -> Tensor:
    shape = torch.hann_window(window, device=waves.device, dtype=torch.float32)
    frames = torch.stft(
        waves.squeeze(1).float(), window, window // 4, window=shape, pad_mode="constant", return_complex=True
    )
    # as real numbers: abs() of a complex zero has no gradient that is a number on every device
    parts = torch.view_as_real(frames)
    return (parts.square().sum(-1) + 1e-12).sqrt()
