"""What is done to a good clip so that the upsampler learns to undo it: blur, resizing, noise and JPEG, twice [S §3.1.5].

The paper names the second-order scheme of Real-ESRGAN and reports no numbers; ranges and probabilities are that work's, rounded
(our decision). One draw holds for a whole clip: a codec or a lens does not change from frame to frame. Randomly the clip goes through
the temporal autoencoder instead, as at generation. Axis letters: B batch, T frames, H W rows and columns.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Range = tuple[float, float]


@dataclass(frozen=True)
class RoundConfig:
    """One round of damage; each range is drawn from uniformly."""

    blur_prob: float = 1.0
    blur_sigma_px: Range = (0.2, 3.0)
    resize: Range = (0.15, 1.5)
    """Factor of the sides."""
    noise: Range = (1 / 255, 30 / 255)
    """Standard deviation of Gaussian noise, of a white of 1; or the scale of Poisson noise in tenths."""
    gray_noise_prob: float = 0.4
    jpeg: Range = (30.0, 95.0)
    """Quality."""


@dataclass(frozen=True)
class DegradationConfig:
    """How clips are damaged."""

    first: RoundConfig = RoundConfig()
    second: RoundConfig = RoundConfig(0.8, (0.2, 1.5), (0.3, 1.2), (1 / 255, 25 / 255))
    sinc_prob: float = 0.8
    """Of a last low-pass filter with a sharp edge: the ringing of sharpened pictures."""
    tae_prob: float = 0.5
    """Of the autoencoder's own artefacts instead (the paper gives no share)."""


def degrade(
    pixels: Tensor,
    height: int,
    width: int,
    generator: torch.Generator,
    config: DegradationConfig = DegradationConfig(),
    round_trip: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """A clip (3, T, H, W) in [-1, 1] -> the damaged small clip (3, T, height, width) in [-1, 1].

    `round_trip` encodes and decodes a clip (1, 3, T, height, width) by the TAE; None leaves it out. The same generator state gives
    the same damage.
    """
    if round_trip is not None and _uniform(generator, (0, 1)) < config.tae_prob:
        small = _resize(pixels.transpose(0, 1), height, width, "area").transpose(0, 1)
        return round_trip(small[None])[0].clamp(-1, 1)
    frames = pixels.transpose(0, 1) * 0.5 + 0.5
    for one in (config.first, config.second):
        frames = _round(frames, one, generator)
    if _uniform(generator, (0, 1)) < config.sinc_prob:
        frames = filter_frames(frames, sinc_kernel(_uniform(generator, (math.pi / 3, math.pi))))
    frames = _resize(frames, height, width, _mode(generator))
    return (frames.clamp(0, 1) * 2 - 1).transpose(0, 1)


def _round(frames: Tensor, config: RoundConfig, generator: torch.Generator) -> Tensor:
    if _uniform(generator, (0, 1)) < config.blur_prob:
        sigmas = _uniform(generator, config.blur_sigma_px), _uniform(generator, config.blur_sigma_px)
        frames = filter_frames(frames, gaussian_kernel(*sigmas, _uniform(generator, (0, math.pi))))
    factor = _uniform(generator, config.resize)
    sides = (max(8, round(side * factor)) for side in frames.shape[2:])
    frames = _resize(frames, *sides, _mode(generator))
    frames = add_noise(frames, config, generator).clamp(0, 1)
    return jpeg(frames, round(_uniform(generator, config.jpeg)))


def gaussian_kernel(sigma_x: float, sigma_y: float, angle: float) -> Tensor:
    """An elliptic Gaussian turned by `angle`, of sum 1, as wide as it needs to be: (K, K), K odd."""
    reach = max(1, math.ceil(3 * max(sigma_x, sigma_y)))
    y, x = torch.meshgrid(*[torch.arange(-reach, reach + 1, dtype=torch.float32)] * 2, indexing="ij")
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    kernel = torch.exp(-0.5 * ((along / sigma_x) ** 2 + (across / sigma_y) ** 2))
    return kernel / kernel.sum()


def sinc_kernel(cutoff: float, reach: int = 10) -> Tensor:
    """The circular low-pass filter of a cutoff in radians a pixel, cut off at `reach`, of sum 1: (2 reach + 1, 2 reach + 1)."""
    y, x = torch.meshgrid(*[torch.arange(-reach, reach + 1, dtype=torch.float32)] * 2, indexing="ij")
    radius = torch.hypot(x, y).clamp_min(1e-6)
    kernel = cutoff * torch.special.bessel_j1(cutoff * radius) / (2 * math.pi * radius)
    return kernel / kernel.sum()


def filter_frames(frames: Tensor, kernel: Tensor) -> Tensor:
    """Each channel of each frame (T, 3, H, W) convolved with a kernel; edges are reflected."""
    reach = min(kernel.shape[-1] // 2, min(frames.shape[2:]) - 1)
    middle = kernel.shape[-1] // 2
    kernel = kernel[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]
    padded = F.pad(frames, [reach] * 4, mode="reflect")
    weight = (kernel / kernel.sum()).to(frames)[None, None].expand(frames.shape[1], 1, -1, -1)
    return F.conv2d(padded, weight, groups=frames.shape[1])


def add_noise(frames: Tensor, config: RoundConfig, generator: torch.Generator) -> Tensor:
    """Gaussian or Poisson noise, of colour or of brightness alone; fresh in every frame."""
    is_gray = _uniform(generator, (0, 1)) < config.gray_noise_prob
    strength = _uniform(generator, config.noise)
    shape = (len(frames), 1 if is_gray else frames.shape[1], *frames.shape[2:])
    noise = torch.randn(shape, generator=generator).to(frames)
    if _uniform(generator, (0, 1)) < 0.5:
        return frames + strength * noise
    # Poisson noise of many photons is Gaussian with a variance that grows with the light
    light = (frames.mean(1, keepdim=True) if is_gray else frames).clamp_min(0)
    return frames + 2 * strength * light.sqrt() * noise


def jpeg(frames: Tensor, quality: int) -> Tensor:
    """Each frame (T, 3, H, W) in 0..1 written as JPEG and read again."""
    from PIL import Image

    out = []
    for frame in frames:
        image = Image.fromarray((frame.permute(1, 2, 0).cpu().numpy() * 255 + 0.5).astype(np.uint8))
        with io.BytesIO() as file:
            image.save(file, "JPEG", quality=quality)
            out.append(torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1))
    return torch.stack(out).to(frames) / 255


def _resize(frames: Tensor, height: int, width: int, mode: str) -> Tensor:
    """(T, 3, H, W) -> (T, 3, height, width)."""
    if mode == "area":
        return F.interpolate(frames, (height, width), mode="area")
    return F.interpolate(frames, (height, width), mode=mode, align_corners=False, antialias=True)


def _mode(generator: torch.Generator) -> str:
    return ("area", "bilinear", "bicubic")[int(torch.randint(3, (), generator=generator))]


def _uniform(generator: torch.Generator, between: Range) -> float:
    low, high = between
    return low + (high - low) * float(torch.rand((), generator=generator))
