"""The temporal autoencoder (TAE): pixels -> latent -> pixels, 8x smaller in time, height and width [S §3.1.1].

Axis letters: B batch, C channels, T frames (or latent frames), H W rows and columns, h w latent rows and columns.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from moviegen.draws import draw
from moviegen.models.linear_path import LinearPath, silence
from moviegen.models.tae_coders import TAEConfig, TAEDecoder, TAEEncoder
from moviegen.models.tae_layers import fold_frames, unfold_frames
from moviegen.models.tae_tiling import blend_stream, in_side_tiles, regroup
from moviegen.weights import HubModel
from moviegen.windows import tile_spans


@dataclass(frozen=True)
class LatentDistribution:
    """A Gaussian over latents, independent in every value; mean and logvar are (B, C, T, h, w)."""

    mean: Tensor
    logvar: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """A draw, of the mean's shape."""
        noise = draw(torch.randn, self.mean.shape, generator, self.mean.device, self.mean.dtype)
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


def _linear_path(config: TAEConfig) -> LinearPath:
    return LinearPath(config.temporal_factor, config.spatial_factor, config.latent_channels)
