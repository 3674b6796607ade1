"""The audio codec's judge: one discriminator a resolution of the short-time Fourier transform [S §6.1.3].

The paper says multi-scale STFT discriminators and no more; kernels, strides and widths are our decision, after those of neural codecs.

Axis letters: B batch, N audio samples, T frames of the transform, F frequencies.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from moviegen.models.convolution import Conv2d

WINDOWS = (2048, 1024, 512, 256, 128)
"""Samples of each transform's window: 43 ms to 3 ms at 48 kHz."""


class Judgement(NamedTuple):
    """What one discriminator says of a waveform."""

    logits: Tensor
    """(B, 1, T, F'): high where it sounds like data."""
    features: list[Tensor]
    """Of each layer but the last, for the generator to match."""


class STFTDiscriminator(nn.Module):
    """Looks at the complex spectrum of one resolution."""

    def __init__(self, window: int, channels: int = 32) -> None:
        super().__init__()
        self.window = window
        self.register_buffer("shape", torch.hann_window(window), persistent=False)
        layers = [_conv(2, channels, (3, 9))]
        layers += [_conv(channels, channels, (3, 9), stride=(1, 2), dilation=(d, 1)) for d in (1, 2, 4)]
        self.layers = nn.ModuleList([*layers, _conv(channels, channels, (3, 3))])
        self.output = _conv(channels, 1, (3, 3))

    def spectrum(self, x: Tensor) -> Tensor:
        """Real and imaginary part of the transform, (B, 2, T, F); a waveform of any length, zeros about it."""
        frames = torch.stft(
            x.squeeze(1), self.window, self.window // 4, window=self.shape, normalized=True, pad_mode="constant",
            return_complex=True,
        )  # fmt: skip
        return torch.view_as_real(frames).permute(0, 3, 2, 1)

    def forward(self, x: Tensor) -> Judgement:
        """A waveform (B, 1, N) -> logits and features."""
        y, features = self.spectrum(x), []
        for layer in self.layers:
            y = F.leaky_relu(layer(y), 0.2)
            features.append(y)
        return Judgement(self.output(y), features)


class MultiScaleSTFTDiscriminator(nn.Module):
    """A discriminator a resolution, each with a judgement of its own."""

    def __init__(self, windows: tuple[int, ...] = WINDOWS, channels: int = 32) -> None:
        super().__init__()
        self.scales = nn.ModuleList(STFTDiscriminator(window, channels) for window in windows)

    def forward(self, x: Tensor) -> list[Judgement]:
        """Judgements of a waveform (B, 1, N), one a resolution."""
        return [scale(x) for scale in self.scales]


def _conv(
    in_channels: int,
    out_channels: int,
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
) -> nn.Module:
    padding = tuple((k - 1) // 2 * d for k, d in zip(kernel, dilation, strict=True))
    return weight_norm(Conv2d(in_channels, out_channels, kernel, stride, padding, dilation))  # type: ignore[arg-type]
