"""What a network sees of pictures that it does not generate: a face, the frames of a film. A small encoder of our own to train with the
tiny sizes, beside CLIP-like towers of the transformers library (`VisionEncoder`).

Axis letters: B batch, C channels, T frames, H W rows and columns, L tokens, D width.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from moviegen.errors import UsageError
from moviegen.models.layers import RMSNorm
from moviegen.models.personal_dit import VisionEncoder
from moviegen.models.text import ByteBlock, ByteTextEncoderConfig, TextContext
from moviegen.weights import CONFIG_FILE, HubModel, load_model, save_model


@runtime_checkable
class ImageEncoder(Protocol):
    """Pictures (B, 3, H, W) in 0..1, square -> tokens (B, L, width)."""

    width: int

    def __call__(self, images: Tensor) -> TextContext:
        """The patches' tokens."""
        ...


@dataclass(frozen=True)
class SmallVisionConfig:
    """Sizes of a SmallVisionEncoder."""

    dim: int = 64
    """Width of the features."""
    num_layers: int = 1
    num_heads: int = 2
    ffn_dim: int = 128
    image_px: int = 32
    """Side that pictures are scaled to."""
    patch_px: int = 8
    """Side of the square that is a token."""

    def __post_init__(self) -> None:
        if self.image_px % self.patch_px:
            raise ValueError(f"image_px {self.image_px} is no multiple of patch_px {self.patch_px}")


class SmallVisionEncoder(nn.Module, HubModel):
    """A small transformer over patches, trained together with the network that uses it."""

    def __init__(self, config: SmallVisionConfig) -> None:
        super().__init__()
        self.config = config
        self.width = config.dim
        block = ByteTextEncoderConfig(config.dim, config.num_layers, config.num_heads, config.ffn_dim)
        self.patch_in = nn.Linear(3 * config.patch_px**2, config.dim, bias=False)
        self.positions = nn.Parameter(torch.empty((config.image_px // config.patch_px) ** 2, config.dim))
        self.blocks = nn.ModuleList(ByteBlock(block) for _ in range(config.num_layers))
        self.norm = RMSNorm(config.dim, eps=1e-5)
        nn.init.normal_(self.positions, std=0.02)

    def forward(self, images: Tensor) -> TextContext:
        """(B, 3, H, W) in 0..1 -> tokens (B, L, D)."""
        side, patch = self.config.image_px, self.config.patch_px
        resized = F.interpolate(images, (side, side), mode="bilinear", align_corners=False, antialias=True)
        patches = rearrange(resized * 2 - 1, "b c (h ph) (w pw) -> b (h w) (c ph pw)", ph=patch, pw=patch)
        x = self.patch_in(patches) + self.positions
        mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        for block in self.blocks:
            x = block(x, mask)
        return TextContext(self.norm(x), mask)


def frame_features(encoder: ImageEncoder, pixels: Tensor) -> Tensor:
    """One vector a frame: (B, 3, T, H, W) in [-1, 1] -> (B, T, D), the mean of a frame's tokens.

    The paper has one feature of 1024 numbers a frame and does not say which [S §6.1.3].
    """
    frames = rearrange(pixels, "b c t h w -> (b t) c h w") * 0.5 + 0.5
    return rearrange(encoder(frames).features.mean(1), "(b t) d -> b t d", b=len(pixels))


def save_image_encoder(encoder: Any, folder: Path) -> None:
    """Writes an encoder's folder."""
    if isinstance(encoder, SmallVisionEncoder):
        save_model(encoder, folder)
        return
    encoder.model.save_pretrained(folder)
    encoder.processor.save_pretrained(folder)


def load_image_encoder(folder: Path) -> Any:
    """The encoder of a folder: a CLIP-like tower with its preprocessor, or one of our own. Raises UsageError when it is neither."""
    if (folder / "preprocessor_config.json").is_file():
        return VisionEncoder.from_pretrained(folder)
    if not (folder / CONFIG_FILE).is_file():
        raise UsageError(
            f"{folder} is no vision encoder: wanted config.json, model.safetensors and, of a CLIP-like tower, "
            "preprocessor_config.json"
        )
    return load_model(SmallVisionEncoder, folder)
