"""Parts of the temporal autoencoder: the LDM image autoencoder's, each 2D convolution followed by a 1D one along time [S §3.1.1].

Axis letters: B batch, C channels, T frames, H W rows and columns. Tensors are (B, C, T, H, W), kept in channels_last_3d memory so
that folding frames into the batch, or pixels into a row, copies nothing.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

BY_FRAMES_ABOVE = 1 << 22
"""Numbers from which on a convolution without gradients goes frame by frame: below, what is saved is not worth the calls."""


def fold_frames(x: Tensor) -> Tensor:
    """(B, C, T, H, W) -> (B T, C, H, W): each frame an image."""
    return rearrange(x, "b c t h w -> (b t) c h w")


def unfold_frames(x: Tensor, num_frames: int) -> Tensor:
    """The inverse of `fold_frames`."""
    return rearrange(x, "(b t) c h w -> b c t h w", t=num_frames)


def goes_by_frames(x: Tensor, channels: int) -> bool:
    """Whether a layer that makes `channels` of x goes frame by frame; whole clips are for gradients and for what is small."""
    return not torch.is_grad_enabled() and len(x) * x[0, 0].numel() * channels > BY_FRAMES_ABOVE


class FrameNorm(nn.GroupNorm):
    """GroupNorm of each frame by itself, so that an image and a frame of a video are normalised alike (our decision)."""

    def forward(self, x: Tensor) -> Tensor:
        return unfold_frames(super().forward(fold_frames(x)), x.shape[2])

    def activated(self, frames: Tensor) -> Tensor:
        """SiLU of the norm of frames (N, C, H, W)."""
        return F.silu(super().forward(frames), inplace=not torch.is_grad_enabled())


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
        rows = rearrange(x, "b c t h w -> b t (h w) c")
        pad, num_frames = self.kernel_size[0] // 2, rows.shape[1]
        frames = torch.arange(-pad, num_frames + pad, device=x.device).clamp(0, num_frames - 1)
        rows = rows.index_select(1, frames)  # F.pad would lose the order in memory, and copy twice
        rows = F.conv2d(rearrange(rows, "b t n c -> b c t n"), self.weight[..., None], self.bias, (self.stride[0], 1))
        return rearrange(rows, "b c t (h w) -> b c t h w", h=x.shape[3])

    def taps(self, num_frames: int, factor: int = 1) -> list[dict[int, tuple[int, ...]]]:
        """For each output frame, which of the `num_frames` input frames it sees, each with its places in the kernel; the input is
        first repeated `factor` times. Places that see the same frame, at the edges or repeated, stand together."""
        seen, length, (size,), (stride,) = [], num_frames * factor, self.kernel_size, self.stride
        for start in range(0, length, stride):
            taps: dict[int, tuple[int, ...]] = {}
            for place in range(size):
                frame = min(max(start + place - size // 2, 0), length - 1) // factor
                taps[frame] = (*taps.get(frame, ()), place)
            seen.append(taps)
        return seen


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

    def forward(
        self, x: Tensor, before: Callable[[Tensor], Tensor] | None = None, *, overwrite: bool = False
    ) -> Tensor:
        """(B, C, T, H, W) -> the convolved; `before` is done to the frames (N, C, H, W) first. With `overwrite` the result may take
        the place of `x` in memory, where it has its shape and no gradient needs it."""
        if goes_by_frames(x, self.spatial.out_channels):
            return self._by_frames(x, before, overwrite)
        x = unfold_frames(self._space(fold_frames(x), before), x.shape[2])
        if self.temporal_upsample:
            x = x.movedim(1, -1).repeat_interleave(2, dim=1).movedim(-1, 1)
        return self.temporal(x)

    def _space(self, frames: Tensor, before: Callable[[Tensor], Tensor] | None) -> Tensor:
        frames = frames if before is None else before(frames)
        if self.stride == 2:
            frames = F.pad(frames, (0, 1, 0, 1))  # as LDM pads, so that its weights mean the same
        return self.spatial(frames)

    def _by_frames(self, x: Tensor, before: Callable[[Tensor], Tensor] | None, overwrite: bool) -> Tensor:
        """The same without a copy of the whole clip between the two convolutions: a frame is convolved in space when it is first
        seen, and adds to each output frame by a matrix product. What a frame needs is warm in the caches, and soon free."""
        seen = self.temporal.taps(x.shape[2], 2 if self.temporal_upsample else 1)
        kernels = {places: self._kernel(places) for taps in seen for places in taps.values()}
        out = x if overwrite else None
        for sample in range(len(x)):
            window: dict[int, Tensor] = {}
            for number, taps in enumerate(seen):
                window = {frame: window[frame] for frame in window if frame >= min(taps)}
                for frame in sorted(taps.keys() - window.keys()):
                    window[frame] = self._space(x[sample : sample + 1, :, frame], before)
                if out is None:
                    out = self._room(len(x), len(seen), window[frame])
                self._add_taps(
                    out[sample, :, number], [(window[frame], kernels[taps[frame]]) for frame in sorted(taps)]
                )
        return out

    def _room(self, batch: int, num_frames: int, frame: Tensor) -> Tensor:
        """An empty (B, C, T, H, W) for frames such as this, in channels_last_3d memory."""
        _, channels, height, width = frame.shape
        return rearrange(frame.new_empty(batch, num_frames, height, width, channels), "b t h w c -> b c t h w")

    def _kernel(self, places: tuple[int, ...]) -> Tensor:
        """What a frame seen at these places of the temporal kernel is multiplied with, (C_in, C_out)."""
        return self.temporal.weight[..., list(places)].sum(-1).T.contiguous()

    def _add_taps(self, out: Tensor, taps: list[tuple[Tensor, Tensor]]) -> None:
        """out (C, H, W) = bias + the frames' products with their kernels."""
        places = out.permute(1, 2, 0).view(-1, len(out))
        for number, (frame, kernel) in enumerate(taps):
            rows = rearrange(frame, "1 c h w -> (h w) c")
            base = places if number else self.temporal.bias.to(rows.dtype)
            torch.addmm(base, rows, kernel.to(rows.dtype), out=places)


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
        y = self.conv_2(self.conv_1(x, self.norm_1.activated), self.norm_2.activated, overwrite=True)
        if not goes_by_frames(x, y.shape[1]):
            return unfold_frames(self.shortcut(fold_frames(x)), x.shape[2]) + y
        for frame in range(x.shape[2]):  # one by one: the projection of a whole clip would be the peak of memory
            y[:, :, frame].add_(self.shortcut(x[:, :, frame]))
        return y


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
        return self.conv(x, _enlarged if self.spatial else None)


def _enlarged(frames: Tensor) -> Tensor:
    return F.interpolate(frames, scale_factor=2.0, mode="nearest")
