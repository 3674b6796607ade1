"""Parts of the temporal autoencoder: the LDM image autoencoder's, each 2D convolution followed by a 1D one along time [S §3.1.1].

Axis letters: B batch, C channels, T frames, H W rows and columns. Tensors are (B, C, T, H, W), kept in channels_last_3d memory so
that folding frames into the batch, or pixels into a row, copies nothing.
"""

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


def fold_frames(x: Tensor) -> Tensor:
    """(B, C, T, H, W) -> (B T, C, H, W): each frame an image."""
    return rearrange(x, "b c t h w -> (b t) c h w")


def unfold_frames(x: Tensor, num_frames: int) -> Tensor:
    """The inverse of `fold_frames`."""
    return rearrange(x, "(b t) c h w -> b c t h w", t=num_frames)


class FrameNorm(nn.GroupNorm):
    """GroupNorm of each frame by itself, so that an image and a frame of a video are normalised alike (our decision)."""

    def forward(self, x: Tensor) -> Tensor:
        return unfold_frames(super().forward(fold_frames(x)), x.shape[2])


class TemporalConv(nn.Conv1d):
    """1D convolution along time with symmetric replicate padding [S §3.1.1]; stride 2 gives ceil(T / 2) frames.

    Starts as the identity on every (second) frame (our decision), so that an inflated image autoencoder starts as itself.
    """

    def __init__(self, channels: int, kernel_size: int = 3, stride: int = 1) -> None:
        super().__init__(channels, channels, kernel_size, stride)
        if kernel_size % 2 == 0:
            raise ValueError(f"temporal kernel {kernel_size} is even: symmetric padding needs an odd one")

    def reset_parameters(self) -> None:
        nn.init.dirac_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        pad = self.kernel_size[0] // 2
        rows = F.pad(rearrange(x, "b c t h w -> b c t (h w)"), (0, 0, pad, pad), mode="replicate")
        rows = F.conv2d(rows, self.weight[..., None], self.bias, (self.stride[0], 1))
        return rearrange(rows, "b c t (h w) -> b c t h w", h=x.shape[3])


class Conv(nn.Module):
    """A 3x3 convolution of each frame, then one along time ("2.5D"). `stride` 2 halves the frame's sides, `temporal_stride` 2
    the frames; `temporal_upsample` doubles the frames (nearest neighbour) between the two [S §3.1.1]."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        temporal_kernel: int = 3,
        stride: int = 1,
        temporal_stride: int = 1,
        temporal_upsample: bool = False,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.temporal_upsample = temporal_upsample
        self.spatial = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1 if stride == 1 else 0)
        self.temporal = TemporalConv(out_channels, temporal_kernel, temporal_stride)

    def forward(self, x: Tensor) -> Tensor:
        frames = fold_frames(x)
        if self.stride == 2:
            frames = F.pad(frames, (0, 1, 0, 1))  # as LDM pads, so that its weights mean the same
        x = unfold_frames(self.spatial(frames), x.shape[2])
        if self.temporal_upsample:
            x = x.movedim(1, -1).repeat_interleave(2, dim=1).movedim(-1, 1)
        return self.temporal(x)


class ResidualBlock(nn.Module):
    """norm, SiLU, convolution, twice, beside a shortcut (a 1x1 projection of each frame where the channels change).

    Adds nothing at first (our decision): the network starts almost linear and learns levels of grey before it learns edges.
    """

    def __init__(self, in_channels: int, out_channels: int, norm_groups: int, temporal_kernel: int) -> None:
        super().__init__()
        self.norm_1 = FrameNorm(norm_groups, in_channels, eps=1e-6)
        self.conv_1 = Conv(in_channels, out_channels, temporal_kernel=temporal_kernel)
        self.norm_2 = FrameNorm(norm_groups, out_channels, eps=1e-6)
        self.conv_2 = Conv(out_channels, out_channels, temporal_kernel=temporal_kernel)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else nn.Identity()
        nn.init.zeros_(self.conv_2.spatial.weight)
        nn.init.zeros_(self.conv_2.spatial.bias)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv_1(F.silu(self.norm_1(x)))
        y = self.conv_2(F.silu(self.norm_2(y)))
        return unfold_frames(self.shortcut(fold_frames(x)), x.shape[2]) + y


class SpatialAttention(nn.Module):
    """One-head attention among the pixels of each frame, added to the input, as in LDM; adds nothing at first (our decision)."""

    pattern = "b c t h w -> (b t) 1 (h w) c"

    def __init__(self, channels: int, norm_groups: int) -> None:
        super().__init__()
        self.norm = FrameNorm(norm_groups, channels, eps=1e-6)
        self.query, self.key, self.value, self.output = (nn.Linear(channels, channels) for _ in range(4))
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor) -> Tensor:
        batch, _, _, height, _ = x.shape
        tokens = rearrange(self.norm(x), self.pattern)
        out = F.scaled_dot_product_attention(self.query(tokens), self.key(tokens), self.value(tokens))
        left, right = self.pattern.split(" -> ")
        return x + rearrange(self.output(out), f"{right} -> {left}", b=batch, h=height)


class TemporalAttention(SpatialAttention):
    """One-head attention among the frames at each pixel, after every spatial attention [S §3.1.1]."""

    pattern = "b c t h w -> (b h w) 1 t c"


class MiddleBlock(nn.Module):
    """Residual block, attention in space, attention in time, residual block."""

    def __init__(self, channels: int, norm_groups: int, temporal_kernel: int) -> None:
        super().__init__()
        self.block_1 = ResidualBlock(channels, channels, norm_groups, temporal_kernel)
        self.spatial_attention = SpatialAttention(channels, norm_groups)
        self.temporal_attention = TemporalAttention(channels, norm_groups)
        self.block_2 = ResidualBlock(channels, channels, norm_groups, temporal_kernel)

    def forward(self, x: Tensor) -> Tensor:
        x = self.temporal_attention(self.spatial_attention(self.block_1(x)))
        return self.block_2(x)


class Upsample(nn.Module):
    """Doubles the frame's sides where `spatial` (nearest neighbour), then a convolution that may double the frames as well."""

    def __init__(self, channels: int, *, temporal_kernel: int, spatial: bool, temporal: bool) -> None:
        super().__init__()
        self.spatial = spatial
        self.conv = Conv(channels, channels, temporal_kernel=temporal_kernel, temporal_upsample=temporal)

    def forward(self, x: Tensor) -> Tensor:
        if self.spatial:
            x = unfold_frames(F.interpolate(fold_frames(x), scale_factor=2.0, mode="nearest"), x.shape[2])
        return self.conv(x)
