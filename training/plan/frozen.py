"""Networks beside the one that trains: what text encoders, image encoders and autoencoders hold, and what they compute for a sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moviegen.models.catalog import KINDS

from .work import encoder_flops

BYTES = {"bfloat16": 2, "float32": 4}

PARAMETERS = {
    "google/ul2": 8.7e9,  # 32 layers of width 4096, 16,384 in the feed-forward of three matrices, 16 heads of 256
    "timm/vit_gigantic_patch14_clip_224.metaclip_2pt5b": 0.69e9,  # 32 layers of width 1280
    "google/byt5-small": 0.22e9,  # 12 layers of width 1472, 6 heads of 64, 3584 in the feed-forward
    "google-t5/t5-base": 0.11e9,  # 12 layers of width 768
}
"""Of the halves that encode text, worked out from their published sizes: what is loaded of them."""

VISION_PARAMETERS = 0.3e9
"""Of the encoder of frames: a ViT-L/14, as MetaCLIP's that gives 1024 numbers [S §6.1.3]."""
VISION_TOKENS = 257


@dataclass(frozen=True)
class Frozen:
    """What stands beside the network on every GPU."""

    bytes: float = 0.0
    text_flops: float = 0.0
    """Of encoding the longest text; 0 where features are cached."""
    flops_per_pixel: float = 0.0
    """Of encoding a pixel of a frame; 0 where latents are cached."""
    flops_per_frame: float = 0.0
    """Of the encoder of frames, a frame."""

    def flops(self, num_frames: int, pixels: int) -> float:
        """Of a sample."""
        return self.text_flops + num_frames * (pixels * self.flops_per_pixel + self.flops_per_frame)


def texts(encoders: Sequence[Mapping[str, Any]], is_cached: bool) -> tuple[Frozen, tuple[str, ...]]:
    """(what frozen text encoders hold and compute, what is assumed). They lie on the GPU though their features are cached."""
    unknown = tuple(e["source"] for e in encoders if e["source"] not in PARAMETERS)
    known = [(PARAMETERS[e["source"]], e) for e in encoders if e["source"] in PARAMETERS]
    held = sum(size * BYTES[e.get("dtype", "float32")] for size, e in known)
    flops = 0.0 if is_cached else sum(2 * size * e["max_length"] for size, e in known)
    said = tuple(
        f"text encoder {source}: its size is not known here, counted as none (--frozen_gb)" for source in unknown
    )
    return Frozen(held, flops), said


def autoencoder(config: Any, times: int, one_by_one: bool) -> Frozen:
    """A frozen TAE that encodes each pixel so many times; `one_by_one` frames as images."""
    import torch

    with torch.device("meta"):
        network = KINDS["tae"].network(config)
    held = 4.0 * sum(p.numel() for p in network.parameters())
    frames = 1 if one_by_one else config.temporal_factor
    rate = times * encoder_flops("tae", config, (3, frames, 256, 256)) / (frames * 256 * 256) if times else 0.0
    return Frozen(held, flops_per_pixel=rate)


def together(*parts: Frozen) -> Frozen:
    """All of them."""
    names = ("bytes", "text_flops", "flops_per_pixel", "flops_per_frame")
    return Frozen(*(sum(getattr(part, name) for part in parts) for name in names))
