"""The audio transformer: noised audio latents, t, text, frames of a video and known audio -> velocity [S §6.1.2, §6.1.3].

Axis letters: B batch, N audio latents (25 a second), C channels of a latent, L text tokens, D width.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from moviegen.models.execution import run
from moviegen.models.layers import (
    Attention,
    GELUFeedForward,
    RMSNorm,
    TimeEmbedding,
    add_gated,
    initialize_transformer,
    modulate,
    modulated_norm,
    rotary_angles,
)
from moviegen.models.part import WHOLE, Part, PartOf, whole
from moviegen.models.text import ContextProjections, TextContext
from moviegen.weights import HubModel, may_be_large

LATENTS_PER_SECOND = 25
"""Rate of the DAC-VAE's latents [S §6.1.3]."""


@dataclass(frozen=True)
class AudioDiTConfig:
    """Sizes of an AudioDiT. The defaults are the 13B model's [S §6.1.6]; its heads are not reported."""

    dim: int = 4608
    """Width D."""
    num_layers: int = 36
    num_heads: int = 36
    ffn_dim: int = 18432
    latent_channels: int = 128
    """C of the DAC-VAE's latents [S §6.1.3]."""
    video_width: int = 1024
    """Width of a video frame's features [S §6.1.3]."""
    context_widths: tuple[int, ...] = (768,)
    """Width of each text encoder's features: T5-base; the paper prints 756, a slip [spec 8]."""
    norm_eps: float = 1e-5
    qk_norm: bool = False
    """RMS norm of queries and keys (not reported)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "context_widths", tuple(self.context_widths))
        if self.dim % self.num_heads or self.dim // self.num_heads % 2:
            raise ValueError(f"dim {self.dim} over num_heads {self.num_heads} must be an even number")
        if not self.context_widths:
            raise ValueError("context_widths is empty, wanted the width of at least one text encoder")


class AudioDiT(nn.Module, HubModel):
    """The whole network; see `forward`. One map from t to six modulation vectors for all layers, a bias a layer [S §6.1.2]."""

    part_of: PartOf = staticmethod(whole)
    """Which of a sequence's latents are here; `training.parallel` changes it."""

    @may_be_large
    def __init__(self, config: AudioDiTConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.audio_in = nn.Linear(2 * config.latent_channels, dim, bias=False)
        self.video_in = GatedLinear(config.video_width, dim)
        self.time = TimeEmbedding(dim)
        self.modulation = nn.Linear(dim, 6 * dim, bias=False)
        self.contexts = ContextProjections(config.context_widths, dim)
        self.blocks = nn.ModuleList(AudioBlock(config) for _ in range(config.num_layers))
        self.final_norm = RMSNorm(dim, eps=config.norm_eps)
        self.final_modulation = nn.Linear(dim, 2 * dim, bias=False)
        self.audio_out = nn.Linear(dim, config.latent_channels, bias=False)
        initialize_transformer(self, (self.modulation, self.final_modulation, self.audio_out))

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        contexts: Sequence[TextContext],
        video: Tensor | None = None,
        audio: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """x_t (B, N, C), t (B,), one context a text encoder -> velocity (B, N, C).

        `video` (B, N, 1024) holds a frame's features for each latent (`nearest_frames`), `audio` (B, N, C) the known latents, zero
        where they are to be made; None is all zero. `mask` (B, N) is True on real latents of sequences padded to one length.
        """
        self._check(x_t, video, audio)
        text, part = self.contexts(contexts), self.part_of(x_t.shape[1])
        features = part.share(text.features)
        embedded = F.silu(self.time(t))
        modulation = part.share(rearrange(self.modulation(embedded), "b (m d) -> b m d", m=6))
        x = self.audio_in(part.split(torch.cat([x_t, torch.zeros_like(x_t) if audio is None else audio], dim=-1)))
        if video is not None:
            x = x + self.video_in(part.split(video))
        head_dim = self.config.dim // self.config.num_heads
        rotation = part.rows(rotary_angles(x_t.shape[1], head_dim, device=x.device))
        for block in self.blocks:
            x = run(block, x, modulation, features, text.mask, rotation, mask, part)
        shift, scale = part.share(self.final_modulation(embedded))[:, None].chunk(2, dim=-1)
        return part.gather(self.audio_out(modulate(self.final_norm(x), shift, scale)))

    def _check(self, x_t: Tensor, video: Tensor | None, audio: Tensor | None) -> None:
        config = self.config
        for name, tensor, width in (
            ("x_t", x_t, config.latent_channels),
            ("video", video, config.video_width),
            ("audio", audio, config.latent_channels),
        ):
            if tensor is not None and tensor.shape != (*x_t.shape[:2], width):
                raise ValueError(
                    f"AudioDiT: {name} is {tuple(tensor.shape)}, wanted {(*x_t.shape[:2], width)} (B, N, width)"
                )


class AudioBlock(nn.Module):
    """Modulated self-attention with rotary positions, cross-attention, modulated feed-forward, each added to the stream [S §6.1.2].

    Rotary positions and the feed-forward's GELU are our decisions (not reported).
    """

    def __init__(self, config: AudioDiTConfig) -> None:
        super().__init__()
        self.modulation_bias = nn.Parameter(torch.zeros(6, config.dim))
        self.attention_norm = RMSNorm(config.dim, eps=config.norm_eps)
        self.attention = Attention(config.dim, config.num_heads, qk_norm=config.qk_norm, eps=config.norm_eps)
        self.cross_attention = Attention(config.dim, config.num_heads, qk_norm=config.qk_norm, eps=config.norm_eps)
        self.ffn_norm = RMSNorm(config.dim, eps=config.norm_eps)
        self.ffn = GELUFeedForward(config.dim, config.ffn_dim)

    def forward(
        self,
        x: Tensor,
        modulation: Tensor,
        text: Tensor,
        text_mask: Tensor,
        rotation: Tensor,
        mask: Tensor | None,
        part: Part = WHOLE,
    ) -> Tensor:
        """x (B, N, D), modulation (B, 6, D), text (B, L, D), text_mask (B, L), rotation, mask (B, N) or None, the part of a
        sequence that x is (the mask is of the whole one) -> (B, N, D)."""
        shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = (modulation + self.modulation_bias).unsqueeze(2).unbind(1)
        normed = modulated_norm(self.attention_norm, x, shift_1, scale_1)
        x = add_gated(x, gate_1, run(self.attention, normed, None, mask, rotation, part))
        x = x + run(self.cross_attention, x, text, text_mask)
        return add_gated(x, gate_2, run(self.ffn, modulated_norm(self.ffn_norm, x, shift_2, scale_2)))


class GatedLinear(nn.Module):
    """w x * sigmoid(w_gate x): (B, N, width) -> (B, N, D). The paper says "gated"; its form is our decision [S §6.1.3, spec 6.2]."""

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.value = nn.Linear(width, dim, bias=False)
        self.gate = nn.Linear(width, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.value(x) * torch.sigmoid(self.gate(x))


def nearest_frames(num_frames: int, fps: Fraction, num_latents: int, rate: int = LATENTS_PER_SECOND) -> Tensor:
    """Index of the video frame nearest to the middle of each audio latent, (num_latents,) int64 [S §6.1.3].

    Times are exact fractions, so that no length of a film drifts; after the last frame it is held.
    """
    middles = [Fraction(2 * latent + 1, 2 * rate) * fps for latent in range(num_latents)]
    return torch.tensor([min(math.floor(place), num_frames - 1) for place in middles])


def num_audio_latents(num_frames: int, fps: Fraction, rate: int = LATENTS_PER_SECOND) -> int:
    """Audio latents that cover a video: its length at 25 a second, rounded up."""
    return math.ceil(Fraction(num_frames) / fps * rate)
