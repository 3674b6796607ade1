"""A linear map of each block of pixels beside the TAE's convolutions, fitted to data before training (our decision, not the paper's).

It stands for the image autoencoder that the paper inflates: with its principal components a small network begins where the best
linear code of the data ends, and learns only what is left.

Axis letters: B batch, C channels, T frames, H W rows and columns; t h w latent frames, rows and columns.
"""

from collections.abc import Iterable

import torch
from einops import rearrange
from torch import Tensor, nn


class LinearPath(nn.Module):
    """Blocks of `frames` x `side` x `side` pixels <-> one latent position each."""

    def __init__(self, frames: int, side: int, latent_channels: int) -> None:
        super().__init__()
        self.frames, self.side = frames, side
        block = 3 * frames * side**2
        self.encode = nn.Linear(block, latent_channels)
        self.decode = nn.Linear(latent_channels, block)
        self.register_buffer("is_fitted", torch.tensor(False))

    def blocks(self, x: Tensor) -> Tensor:
        """Pixels (B, 3, T, H, W) -> (B, t, h, w, block); missing frames of the last block repeat the last one."""
        missing = -x.shape[2] % self.frames
        x = torch.cat([x, x[:, :, -1:].expand(-1, -1, missing, -1, -1)], dim=2) if missing else x
        sizes = {"p": self.frames, "q": self.side, "r": self.side}
        return rearrange(x, "b c (t p) (h q) (w r) -> b t h w (c p q r)", **sizes)

    def latents(self, x: Tensor) -> Tensor:
        """Pixels (B, 3, T, H, W) -> (B, C, t, h, w)."""
        return rearrange(self.encode(self.blocks(x)), "b t h w c -> b c t h w")

    def pixels(self, z: Tensor) -> Tensor:
        """Latents (B, C, t, h, w) -> (B, 3, T, H, W)."""
        sizes = {"c": 3, "p": self.frames, "q": self.side, "r": self.side}
        blocks = self.decode(rearrange(z, "b c t h w -> b t h w c"))
        return rearrange(blocks, "b t h w (c p q r) -> b c (t p) (h q) (w r)", **sizes)


class BlockMoments:
    """Sums over blocks, from which mean and covariance follow; sums of several processes add up."""

    def __init__(self, path: LinearPath, clips: Iterable[Tensor]) -> None:
        """Adds up the blocks of batches of pixels (B, 3, T, H, W)."""
        size = path.encode.in_features
        device = path.encode.weight.device
        self.count = torch.zeros((), dtype=torch.float64, device=device)
        self.total = torch.zeros(size, dtype=torch.float64, device=device)
        self.products = torch.zeros(size, size, dtype=torch.float64, device=device)
        for pixels in clips:
            rows = path.blocks(pixels.to(device).float()).flatten(0, 3)
            self.count += len(rows)
            self.total += rows.sum(0, dtype=torch.float64)
            self.products += rows.T @ rows  # added in float64


@torch.no_grad()
def fit_linear_path(path: LinearPath, moments: BlockMoments) -> float:
    """Makes the path the principal components of the blocks; returns the share of the blocks' variance that it keeps, 0..1.

    The latents have mean 0; a channel's std is the root of what it has in pixels, times a common factor that makes the mean square
    of all channels 1. Coarse channels thus stay larger than fine ones, but do not drown them (our decision).
    Raises ValueError when there are no more blocks than channels.
    """
    channels = path.encode.out_features
    if moments.count <= channels:
        raise ValueError(f"{int(moments.count)} blocks of pixels are too few to fit {channels} latent channels")
    mean = moments.total / moments.count
    covariance = moments.products / moments.count - torch.outer(mean, mean)
    variances, axes = torch.linalg.eigh(covariance)
    variances, axes = variances.clamp_min(0).flip(0), axes.flip(1)[:, :channels]
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()  # eigenvectors have no sign of their own
    deviations = variances[:channels].sqrt().clamp_min(1e-6)
    scale = (deviations * deviations.mean()).sqrt()  # pixels' std over the latent's
    path.encode.weight.copy_((axes / scale).T)
    path.encode.bias.copy_(-(mean @ axes) / scale)
    path.decode.weight.copy_(axes * scale)
    path.decode.bias.copy_(mean)
    path.is_fitted.fill_(True)
    return float(variances[:channels].sum() / variances.sum().clamp_min(1e-30))


def silence(conv: nn.Conv2d, channels: int | None = None) -> None:
    """Makes a convolution (or its first `channels` outputs) say nothing at first: the path beside it speaks alone."""
    with torch.no_grad():
        conv.weight[:channels] = 0
        if conv.bias is not None:
            conv.bias[:channels] = 0
