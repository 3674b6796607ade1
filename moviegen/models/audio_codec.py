"""The audio codec (DAC-VAE): a 48 kHz waveform <-> 25 latents of 128 numbers a second [S §6.1.3].

The descript audio codec without its residual quantiser: between encoder and decoder lies a Gaussian of few channels. Sizes are those
of the counterpart that was released later, without its watermark.

Axis letters: B batch, C channels, N audio samples, L latents.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from moviegen.draws import draw
from moviegen.models.convolution import Conv1d
from moviegen.weights import HubModel

MIN_STD = 1e-4
"""Added to the latents' standard deviation, as in the released codec."""

START_SCALE = -4.0
"""Of `even_start`: softplus of it is the latents' standard deviation at first, 0.018."""


@dataclass(frozen=True)
class AudioCodecConfig:
    """Sizes of an audio codec. The paper gives rate and latent channels [S §6.1.3]; the rest is the released counterpart's."""

    sample_rate_hz: int = 48000
    """Samples a second [S §6.1.3]."""
    encoder_dim: int = 64
    """Channels at the full rate; each level doubles them."""
    rates: tuple[int, ...] = (2, 8, 10, 12)
    """By how much each level of the encoder shortens; the decoder lengthens in the opposite order. Their product is the hop."""
    decoder_dim: int = 1536
    """Channels of the decoder at the latents' rate; each level halves them."""
    latent_dim: int = 1024
    """Channels at the latents' rate, before the bottleneck and after it."""
    bottleneck_dim: int = 128
    """C of the latent [S §6.1.3]."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rates", tuple(self.rates))
        if not self.rates or min(self.rates) < 2:
            raise ValueError(f"rates {self.rates}: wanted one or more numbers of 2 or more")
        if self.decoder_dim % 2 ** len(self.rates):
            raise ValueError(f"decoder_dim {self.decoder_dim} cannot be halved {len(self.rates)} times, once a rate")

    @property
    def hop(self) -> int:
        """Samples a latent."""
        return math.prod(self.rates)

    @property
    def latents_per_s(self) -> float:
        """Latents a second."""
        return self.sample_rate_hz / self.hop


@dataclass(frozen=True)
class AudioLatents:
    """A Gaussian over latents, independent in every value; mean and std are (B, C, L)."""

    mean: Tensor
    std: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """A draw, of the mean's shape."""
        noise = draw(torch.randn, self.mean.shape, generator, self.mean.device, self.mean.dtype)
        return self.mean + self.std * noise

    def kl(self) -> Tensor:
        """Divergence from the standard normal in nats, summed over channels and averaged over time: (B,)."""
        values = self.mean.square() + self.std.square() - 1 - 2 * self.std.log()
        return 0.5 * values.sum(1).mean(1)


class AudioCodec(nn.Module, HubModel):
    """Encoder, bottleneck, decoder, and the latent's measured mean and std."""

    def __init__(self, config: AudioCodecConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.to_moments = _conv(config.latent_dim, 2 * config.bottleneck_dim, 1)
        self.from_latents = _conv(config.bottleneck_dim, config.latent_dim, 1)
        self.decoder = Decoder(config)
        self.register_buffer("latent_mean", torch.zeros(config.bottleneck_dim))
        self.register_buffer("latent_std", torch.ones(config.bottleneck_dim))

    def num_latents(self, num_samples: int) -> int:
        """ceil(N / hop): 30 s are 750 latents."""
        return -(-num_samples // self.config.hop)

    def encode(self, x: Tensor) -> AudioLatents:
        """A waveform (B, 1, N) in [-1, 1] -> latents (B, C, ceil(N / hop)); the end is mirrored to fill the last hop."""
        if x.dim() != 3 or x.shape[1] != 1 or not x.shape[2]:
            raise ValueError(
                f"AudioCodec.encode: got {tuple(x.shape)}, wanted (B, 1, N) with N >= 1: mix to one channel first"
            )
        x = extend_mirrored(x, self.num_latents(x.shape[2]) * self.config.hop)
        mean, scale = self.to_moments(self.encoder(x)).chunk(2, dim=1)
        return AudioLatents(mean, F.softplus(scale) + MIN_STD)

    def decode(self, z: Tensor, num_samples: int) -> Tensor:
        """Latents (B, C, L) -> the first `num_samples` of L hops, (B, 1, N), in [-1, 1]."""
        if z.dim() != 3 or z.shape[1] != self.config.bottleneck_dim or self.num_latents(num_samples) != z.shape[2]:
            raise ValueError(
                f"AudioCodec.decode: got latents {tuple(z.shape)} for {num_samples} samples, wanted "
                f"(B, {self.config.bottleneck_dim}, {self.num_latents(num_samples)})"
            )
        return self.decoder(self.from_latents(z))[..., :num_samples]

    def normalize(self, z: Tensor) -> Tensor:
        """Latents by their measured mean and std: what the transformer sees (our decision)."""
        return (z - self.latent_mean.view(-1, 1)) / self.latent_std.view(-1, 1)

    def denormalize(self, z: Tensor) -> Tensor:
        """The inverse of `normalize`."""
        return z * self.latent_std.view(-1, 1) + self.latent_mean.view(-1, 1)


class Snake(nn.Module):
    """x + sin²(αx) / α, with an α a channel: an activation for what is periodic [S §6.1.3]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        inverse = (self.alpha + 1e-9).reciprocal()
        if torch.is_grad_enabled():
            return x + inverse * torch.sin(self.alpha * x).square()
        return (self.alpha * x).sin_().square_().mul_(inverse).add_(x)  # the same values in the memory of one x


class ResidualUnit(nn.Sequential):
    """A dilated convolution and a pointwise one, added to the input."""

    def __init__(self, channels: int, dilation: int) -> None:
        wide = _conv(channels, channels, 7, padding=3 * dilation, dilation=dilation)
        super().__init__(Snake(channels), wide, Snake(channels), _conv(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class Encoder(nn.Sequential):
    """(B, 1, N) -> (B, latent_dim, N / hop): a level a rate, three residual units and a strided convolution each."""

    def __init__(self, config: AudioCodecConfig) -> None:
        width = config.encoder_dim
        layers: list[nn.Module] = [_conv(1, width, 7, padding=3)]
        for rate in config.rates:
            down = _conv(width, 2 * width, 2 * rate, stride=rate, padding=-(-rate // 2))
            layers.append(nn.Sequential(*_units(width), Snake(width), down))
            width *= 2
        super().__init__(*layers, Snake(width), _conv(width, config.latent_dim, 3, padding=1))


class Decoder(nn.Sequential):
    """(B, latent_dim, L) -> (B, 1, L hop): the encoder's levels in opposite order, tanh at the end."""

    def __init__(self, config: AudioCodecConfig) -> None:
        width = config.decoder_dim
        layers: list[nn.Module] = [_conv(config.latent_dim, width, 7, padding=3)]
        for rate in reversed(config.rates):
            half = width // 2
            # an odd rate leaves one sample too few: ask for it (our decision; it changes nothing for the even ones)
            up = nn.ConvTranspose1d(width, half, 2 * rate, rate, padding=-(-rate // 2), output_padding=rate % 2)
            layers.append(nn.Sequential(Snake(width), weight_norm(up), *_units(half)))
            width = half
        super().__init__(*layers, Snake(width), _conv(width, 1, 7, padding=3), nn.Tanh())


def extend_mirrored(x: Tensor, length: int) -> Tensor:
    """`x` (B, C, N) continued to `length` by going back and forth between its ends; F.pad's reflection goes back once only."""
    if length == x.shape[-1]:
        return x
    period = max(2 * (x.shape[-1] - 1), 1)
    places = torch.arange(length, device=x.device) % period
    return x[..., torch.minimum(places, period - places) if period > 1 else places]


def _conv(in_channels: int, out_channels: int, kernel_size: int, **options: int) -> nn.Module:
    """A convolution under weight norm, begun as descript's: small and without bias."""
    conv = Conv1d(in_channels, out_channels, kernel_size, **options)  # type: ignore[arg-type]
    nn.init.trunc_normal_(conv.weight, std=0.02)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return weight_norm(conv)


@torch.no_grad()
def even_start(codec: AudioCodec) -> AudioCodec:
    """The codec, begun so that sound passes it at any width: each map keeps its input's power, each residual unit and the last map add
    a tenth, the posterior is narrow. Our decision.

    descript's start is for hundreds of channels: with eight, each level of the encoder loses most of the signal, and the KL term
    closes the bottleneck before anything has come through it.
    """
    quiet = {unit[-1] for unit in codec.modules() if isinstance(unit, ResidualUnit)} | {codec.decoder[-2]}
    for module in codec.modules():
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            turned = isinstance(module, nn.ConvTranspose1d)  # its weight norm is that of an input channel's weights
            power = module.out_channels * module.stride[0] / module.in_channels if turned else 1.0
            gain = 0.1 if module in quiet else 1.0
            module.parametrizations.weight.original0.fill_(gain * math.sqrt(power))  # type: ignore[union-attr]
    codec.to_moments.bias[codec.config.bottleneck_dim :].fill_(START_SCALE)
    return codec


def _units(channels: int) -> list[ResidualUnit]:
    return [ResidualUnit(channels, dilation) for dilation in (1, 3, 9)]
