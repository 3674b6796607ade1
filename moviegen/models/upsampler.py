"""The spatial upsampler: a video transformer that sees a low-resolution clip beside the noised latents [S §3.1.5, Fig 7].

Axis letters: B batch, C channels, T frames, H W latent rows and columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn

from moviegen.models.conditioning import ChannelCondition
from moviegen.models.tae import TAE
from moviegen.models.text import TextContext
from moviegen.models.video_dit import Condition, VideoDiT, VideoDiTConfig
from moviegen.weights import HubModel


@dataclass(frozen=True)
class UpsamplerConfig(VideoDiTConfig):
    """Sizes of an Upsampler; 7B is the paper's, how it is made up is not reported [S §3.1.5, spec 2.8]."""

    dim: int = 3584
    num_layers: int = 36
    num_heads: int = 28
    ffn_dim: int = 9728
    max_frames: int = 14
    """Frames of a window [S §3.1.5]."""
    condition_channels: int = 16
    """Channels of the low-resolution clip's latents, stacked on the noised ones."""


class Upsampler(nn.Module, HubModel):
    """Noised latents of the large clip and latents of the small one, enlarged -> velocity. At first it ignores the small one."""

    def __init__(self, config: UpsamplerConfig) -> None:
        super().__init__()
        self.config = config
        self.video_dit = VideoDiT(config.video_dit())
        self.low_resolution = ChannelCondition(config.condition_channels, config.dim, config.patch_size)

    @classmethod
    def from_video_dit(cls, network: VideoDiT, condition_channels: int = 16) -> "Upsampler":
        """An upsampler that starts with a text-to-image or text-to-video transformer's weights [S §3.1.5]."""
        config = UpsamplerConfig(**vars(network.config), condition_channels=condition_channels)
        model = cls(config)
        model.video_dit.load_state_dict(network.state_dict())
        return model

    def forward(self, x_t: Tensor, t: Tensor, contexts: Sequence[TextContext], low_resolution: Tensor) -> Tensor:
        """x_t (B, C, T, H, W), t (B,), contexts, latents of the enlarged small clip (B, C', T, H, W) -> velocity (B, C, T, H, W)."""
        condition = Condition(tokens=self.low_resolution(low_resolution, x_t))
        return self.video_dit(x_t, t, contexts, condition)


def encode_frames(tae: TAE, pixels: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Each frame encoded as an image: (B, 3, T, H, W) -> normalised latents (B, C, T, h, w) [S Fig 7]. Means without a generator."""
    frames = rearrange(pixels, "b c t h w -> (b t) c 1 h w")
    posterior = tae.encode(frames)
    z = posterior.mean if generator is None else posterior.sample(generator)
    return rearrange(tae.normalize(z), "(b t) c 1 h w -> b c t h w", b=len(pixels))


def decode_frames(tae: TAE, z: Tensor) -> Tensor:
    """The inverse of `encode_frames`, as far as the autoencoder goes."""
    frames = tae.denormalize(rearrange(z, "b c t h w -> (b t) c 1 h w"))
    return rearrange(tae.decode(frames, 1), "(b t) c 1 h w -> b c t h w", b=len(z))


def enlarge(pixels: Tensor, height: int, width: int) -> Tensor:
    """Each frame bilinearly enlarged: (B, 3, T, h, w) -> (B, 3, T, height, width); 576 x 1008 to 1080 x 1920 in the paper [S Fig 7]."""
    frames = rearrange(pixels, "b c t h w -> (b t) c h w")
    large = nn.functional.interpolate(frames, (height, width), mode="bilinear", align_corners=False)
    return rearrange(large, "(b t) c h w -> b c t h w", b=len(pixels))
