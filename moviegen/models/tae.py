"""The temporal autoencoder (TAE): pixels -> latent -> pixels, 8x smaller in time, height and width [S §3.1.1].

Axis letters: B batch, C channels, T frames (or latent frames), H W rows and columns, h w latent rows and columns.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn

from moviegen.models.linear_path import LinearPath, silence
from moviegen.models.tae_layers import (
    Conv,
    FrameNorm,
    MiddleBlock,
    ResidualBlock,
    Upsample,
    fold_frames,
    unfold_frames,
)
from moviegen.models.tae_tiling import blend_stream, in_side_tiles, regroup
from moviegen.weights import HubModel
from moviegen.windows import tile_spans

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


@dataclass(frozen=True)
class LatentDistribution:
    """A Gaussian over latents, independent in every value; mean and logvar are (B, C, T, h, w)."""

    mean: Tensor
    logvar: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """A draw, of the mean's shape."""
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean + torch.exp(0.5 * self.logvar) * noise

    def kl(self) -> Tensor:
        """Divergence from the standard normal in nats, summed over a sample's values: (B,)."""
        values = self.mean.square() + self.logvar.exp() - 1 - self.logvar
        return 0.5 * values.flatten(1).sum(1)


class TAE(nn.Module, HubModel):
    """Encoder, decoder, and the latent's measured mean and std."""

    def __init__(self, config: TAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = TAEEncoder(config)
        self.decoder = TAEDecoder(config)
        channels = config.latent_channels
        self.conv_moments = nn.Conv2d(2 * channels, 2 * channels, 1) if config.latent_convs else None
        self.conv_latents = nn.Conv2d(channels, channels, 1) if config.latent_convs else None
        self.register_buffer("latent_mean", torch.zeros(config.latent_channels))
        self.register_buffer("latent_std", torch.ones(config.latent_channels))
        self.linear_path = _linear_path(config) if config.linear_path else None
        if self.linear_path is not None:
            silence(self.encoder.conv_out.spatial, config.latent_channels)
            silence(self.decoder.conv_out.spatial)
        self.to(memory_format=torch.channels_last)

    def num_latent_frames(self, num_frames: int) -> int:
        """ceil(T / 8); an image is one frame and one latent frame [S Fig 4]."""
        return math.ceil(num_frames / self.config.temporal_factor)

    def encode(self, x: Tensor, *, tiled: bool = False, tile_px: int | None = None) -> LatentDistribution:
        """Pixels (B, 3, T, H, W) in [-1, 1] -> latents (B, C, ceil(T/8), H/8, W/8).

        `tiled` encodes tiles of `tile_frames` without overlap, to bound memory on long videos [S §3.1.1]; `tile_px` also squares of
        that side, overlapping by a quarter, to bound it on large frames (our decision: their norms see less than the whole frame).
        """
        factor = self.config.spatial_factor
        if x.dim() != 5 or x.shape[1] != 3 or x.shape[3] % factor or x.shape[4] % factor:
            raise ValueError(
                f"TAE.encode: got {tuple(x.shape)}, wanted (B, 3, T, H, W) with H and W multiples of {factor}"
            )
        size = self.config.tile_frames if tiled else x.shape[2]
        moments = [self._in_tiles(self._moments, tile, tile_px, factor, 1) for tile in x.split(size, dim=2)]
        mean, logvar = torch.cat(moments, dim=2).chunk(2, dim=1)
        if self.linear_path is not None:
            mean = mean + self.linear_path.latents(x)
        return LatentDistribution(mean, logvar.clamp(-30, 20))

    def encode_stream(self, pieces: Iterable[Tensor], *, tile_px: int | None = None) -> Iterator[LatentDistribution]:
        """Latents of each `tile_frames` of a video that comes in pieces (B, 3, T, H, W) of any lengths; memory is bounded whatever
        its length. Together they are `encode(..., tiled=True)` of the whole."""
        for tile in regroup(pieces, self.config.tile_frames):
            yield self.encode(tile, tile_px=tile_px)

    def decode(self, z: Tensor, num_frames: int, *, tiled: bool = False, tile_px: int | None = None) -> Tensor:
        """Latents (B, C, T', h, w) -> the first `num_frames` of 8 T' frames, (B, 3, T, 8h, 8w), about [-1, 1].

        The surplus frames are dropped [S Fig 4]; that they are the last ones is our decision. `tiled` decodes overlapping tiles and
        cross-fades them [S §3.1.1]; `tile_px` is as in `encode`.
        """
        if not tiled:
            self._check_latents(z, num_frames)
            return self._in_tiles(self._pixels, z, tile_px, 1, self.config.spatial_factor)[:, :, :num_frames]
        pieces = list(self.decode_stream(z, num_frames, tile_px=tile_px))
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)

    def decode_stream(self, z: Tensor, num_frames: int, *, tile_px: int | None = None) -> Iterator[Tensor]:
        """The frames of `decode(..., tiled=True)` in order, some at a time (B, 3, T, 8h, 8w); memory is bounded whatever their number."""
        self._check_latents(z, num_frames)
        config, factor = self.config, self.config.temporal_factor
        spans = tile_spans(z.shape[2], config.tile_frames // factor, config.tile_overlap_frames // factor)
        tiles = (self.decode(z[:, :, a:b], factor * (b - a), tile_px=tile_px) for a, b in spans)
        left = num_frames
        for piece in blend_stream(tiles, [(a * factor, b * factor) for a, b in spans]):
            yield piece[:, :, :left]
            left -= piece.shape[2]

    def _check_latents(self, z: Tensor, num_frames: int) -> None:
        channels, length = self.config.latent_channels, self.num_latent_frames(num_frames)
        if z.dim() != 5 or z.shape[1] != channels or z.shape[2] != length:
            raise ValueError(
                f"TAE.decode: got latents {tuple(z.shape)} for {num_frames} frames, wanted (B, {channels}, {length}, h, w)"
            )

    def _in_tiles(
        self, call: Callable[[Tensor], Tensor], x: Tensor, tile_px: int | None, step_in: int, step_out: int
    ) -> Tensor:
        factor = self.config.spatial_factor
        if tile_px is None or max(x.shape[3:]) // step_in * factor <= tile_px:
            return call(x)
        if tile_px % factor or tile_px < 4 * factor:
            raise ValueError(f"TAE: tile_px {tile_px}: wanted a multiple of {factor}, {4 * factor} or more")
        return in_side_tiles(call, x, tile_px // factor, step_in, step_out)

    def _moments(self, x: Tensor) -> Tensor:
        """What the convolutions make of one tile: mean and log variance (B, 2C, T', h, w)."""
        moments = self.encoder(x)
        if self.conv_moments is not None:
            moments = unfold_frames(self.conv_moments(fold_frames(moments)), moments.shape[2])
        return moments

    def _pixels(self, z: Tensor) -> Tensor:
        """All frames of one tile."""
        latents = z if self.conv_latents is None else unfold_frames(self.conv_latents(fold_frames(z)), z.shape[2])
        x = self.decoder(latents)
        return x if self.linear_path is None else x + self.linear_path.pixels(z)

    def normalize(self, z: Tensor) -> Tensor:
        """Latents with mean 0 in each channel and a mean square of 1 over all: what the transformer sees (our decision)."""
        return (z - self.latent_mean.view(-1, 1, 1, 1)) / self.latent_std.view(-1, 1, 1, 1)

    def denormalize(self, z: Tensor) -> Tensor:
        """The inverse of `normalize`."""
        return z * self.latent_std.view(-1, 1, 1, 1) + self.latent_mean.view(-1, 1, 1, 1)


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


def _linear_path(config: TAEConfig) -> LinearPath:
    return LinearPath(config.temporal_factor, config.spatial_factor, config.latent_channels)
