"""The sizes of a temporal autoencoder, and its two halves: LDM's image encoder and decoder made to see time [S §3.1.1].

Axis letters: B batch, C channels, T frames (or latent frames), H W rows and columns, h w latent rows and columns.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn

from moviegen.models.tae_layers import Conv, FrameNorm, MiddleBlock, ResidualBlock, Upsample

INITIAL_LOGVAR = -6.0
"""Log variance of the latents before training: at 0 the noise would drown what the encoder has to say (our decision)."""


@dataclass(frozen=True)
class TAEConfig:
    """Sizes of a TAE. The paper gives the compression and the latent channels; the rest is LDM's design (our decision)."""

    channels: int = 128
    """Channels at full resolution."""
    multipliers: tuple[int, ...] = (1, 2, 4, 4)
    """Channels of each level, in units of `channels`."""
    num_res_blocks: int = 2
    """Residual blocks a level in the encoder."""
    extra_decoder_blocks: int = 1
    """How many more a level of the decoder has; one in LDM."""
    latent_channels: int = 16
    """C of the latent [S §3.1.1]."""
    spatial_downsample_levels: tuple[int, ...] = (0, 1, 2)
    """After which levels a frame's sides halve."""
    temporal_downsample_levels: tuple[int, ...] = (0, 1, 2)
    """After which levels the number of frames halves; three of them make 8x."""
    patch_px: int = 1
    """Side of the squares of pixels that go in and come out as one place with more channels. 1 is the paper's; with 2 the costly
    first level has a quarter of the places, which is what makes a CPU size quick (our decision)."""
    linear_path: bool = False
    """A linear map of each block of pixels beside encoder and decoder, which training fits to the data first, so that a small
    network learns from scratch in minutes what a large one takes over from an image autoencoder (our decision)."""
    later_fields: ClassVar = ("latent_convs",)
    latent_convs: bool = False
    """A 1x1 convolution after the encoder and one before the decoder, which some image autoencoders have (our decision: only for
    their sake)."""
    temporal_kernel: int = 3
    """Frames a temporal convolution sees."""
    norm_groups: int = 32
    """Groups of the group norms; divides every level's channels."""
    tile_frames: int = 32
    """Frames a tile of tiled encoding and decoding [S §3.1.1]."""
    tile_overlap_frames: int = 16
    """Frames two tiles share in tiled decoding; tiled encoding has no overlap [S §3.1.1]."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "multipliers", tuple(self.multipliers))
        levels = range(len(self.multipliers) - 1)
        for name in ("spatial_downsample_levels", "temporal_downsample_levels"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
            if odd := [level for level in getattr(self, name) if level not in levels]:
                raise ValueError(f"{name} {odd}: with {len(self.multipliers)} levels one of {list(levels)}")
        for multiplier in self.multipliers:
            if self.channels * multiplier % self.norm_groups:
                raise ValueError(
                    f"{self.channels * multiplier} channels do not divide into {self.norm_groups} norm_groups"
                )
        for name in ("tile_frames", "tile_overlap_frames"):
            if getattr(self, name) % self.temporal_factor:
                raise ValueError(f"{name} {getattr(self, name)} is no multiple of {self.temporal_factor} frames")

    @property
    def spatial_factor(self) -> int:
        """Pixels a latent column."""
        return self.patch_px * 2 ** len(self.spatial_downsample_levels)

    @property
    def temporal_factor(self) -> int:
        """Frames a latent frame."""
        return 2 ** len(self.temporal_downsample_levels)


class TAEEncoder(nn.Module):
    """Pixels (B, 3, T, H, W) -> mean and log variance (B, 2C, T/8, H/8, W/8)."""

    def __init__(self, config: TAEConfig) -> None:
        super().__init__()
        widths = [config.channels * multiplier for multiplier in config.multipliers]
        kernel, groups = config.temporal_kernel, config.norm_groups
        self.patch_px = config.patch_px
        self.conv_in = Conv(3 * config.patch_px**2, widths[0], temporal_kernel=kernel)
        layers: list[nn.Module] = []
        width = widths[0]
        for level, level_width in enumerate(widths):
            for _ in range(config.num_res_blocks):
                layers.append(ResidualBlock(width, level_width, groups, kernel))
                width = level_width
            if level < len(widths) - 1:
                stride = 2 if level in config.spatial_downsample_levels else 1
                temporal_stride = 2 if level in config.temporal_downsample_levels else 1
                layers.append(
                    Conv(width, width, temporal_kernel=kernel, stride=stride, temporal_stride=temporal_stride)
                )
        self.levels = nn.Sequential(*layers)
        self.middle = MiddleBlock(width, groups, kernel)
        self.norm_out = nn.Sequential(FrameNorm(groups, width, eps=1e-6), nn.SiLU())
        self.conv_out = Conv(width, 2 * config.latent_channels, temporal_kernel=kernel)
        with torch.no_grad():
            self.conv_out.spatial.bias[config.latent_channels :] = INITIAL_LOGVAR

    def forward(self, x: Tensor) -> Tensor:
        x = rearrange(x, "b c t (h p) (w q) -> b (c p q) t h w", p=self.patch_px, q=self.patch_px)
        x = self.conv_in(x.contiguous(memory_format=torch.channels_last_3d))
        for layer in self.levels:  # not as one call, which would hold its first input to the end
            x = layer(x)
        x = self.middle(x)
        return self.conv_out(x, self.norm_out[0].activated)


class TAEDecoder(nn.Module):
    """Latents (B, C, T, h, w) -> pixels (B, 3, 8T, 8h, 8w): the encoder's levels in reverse order."""

    def __init__(self, config: TAEConfig) -> None:
        super().__init__()
        widths = [config.channels * multiplier for multiplier in config.multipliers]
        kernel, groups = config.temporal_kernel, config.norm_groups
        width = widths[-1]
        self.conv_in = Conv(config.latent_channels, width, temporal_kernel=kernel)
        self.middle = MiddleBlock(width, groups, kernel)
        layers: list[nn.Module] = []
        for level in reversed(range(len(widths))):
            for _ in range(config.num_res_blocks + config.extra_decoder_blocks):
                layers.append(ResidualBlock(width, widths[level], groups, kernel))
                width = widths[level]
            if level > 0:
                spatial = level - 1 in config.spatial_downsample_levels
                temporal = level - 1 in config.temporal_downsample_levels
                layers.append(Upsample(width, temporal_kernel=kernel, spatial=spatial, temporal=temporal))
        self.levels = nn.Sequential(*layers)
        self.norm_out = nn.Sequential(FrameNorm(groups, width, eps=1e-6), nn.SiLU())
        self.patch_px = config.patch_px
        self.conv_out = Conv(width, 3 * config.patch_px**2, temporal_kernel=kernel)

    def forward(self, z: Tensor) -> Tensor:
        x = self.conv_in(z.contiguous(memory_format=torch.channels_last_3d))
        x = self.middle(x)
        for layer in self.levels:
            x = layer(x)
        x = self.conv_out(x, self.norm_out[0].activated)
        return rearrange(x, "b (c p q) t h w -> b c t (h p) (w q)", p=self.patch_px, q=self.patch_px)
