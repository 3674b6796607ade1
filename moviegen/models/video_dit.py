"""The video transformer: noised latents, t and text -> velocity. A LLaMa3 block with three changes [S §3.1.3, Table 1, Fig 8].

Axis letters: B batch, C channels, T latent frames, H W latent rows and columns, L tokens, D width; t h w count patches.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from moviegen.models.execution import run
from moviegen.models.layers import (
    Attention,
    RMSNorm,
    SwiGLU,
    TimeEmbedding,
    add_gated,
    initialize_transformer,
    modulate,
    modulated_norm,
)
from moviegen.models.part import WHOLE, Part, PartOf, whole
from moviegen.models.text import ContextProjections, TextContext
from moviegen.weights import HubModel, may_be_large


@dataclass(frozen=True)
class VideoDiTConfig:
    """Sizes of a VideoDiT. The defaults are the 30B model's [S Table 1]."""

    dim: int = 6144
    """Width D."""
    num_layers: int = 48
    num_heads: int = 48
    ffn_dim: int = 16384
    latent_channels: int = 16
    """C of the TAE's latents."""
    patch_size: tuple[int, int, int] = (1, 2, 2)
    """Latent frames, rows and columns a token [S §3.1.3]."""
    context_widths: tuple[int, ...] = (4096, 1280, 1472)
    """Width of each text encoder's features: UL2, MetaCLIP, ByT5 [S Fig 8]."""
    max_frames: int = 32
    """Rows of the table of positions in time; in patches."""
    max_height: int = 96
    """Rows of the table of vertical positions; in patches [S §3.2.2, derived]."""
    max_width: int = 96
    """Rows of the table of horizontal positions; in patches."""
    norm_eps: float = 1e-5
    qk_norm: bool = False
    """RMS norm of queries and keys; the paper does not mention it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "patch_size", tuple(self.patch_size))
        object.__setattr__(self, "context_widths", tuple(self.context_widths))
        if self.dim % self.num_heads:
            raise ValueError(f"dim {self.dim} is not divisible by num_heads {self.num_heads}")
        if len(self.patch_size) != 3 or not self.context_widths:
            raise ValueError(
                f"patch_size {self.patch_size} wants 3 numbers, context_widths {self.context_widths} at least 1"
            )

    def video_dit(self) -> "VideoDiTConfig":
        """These sizes alone: of a config with more fields, the part that is a text-to-video transformer."""
        return VideoDiTConfig(**{f.name: getattr(self, f.name) for f in fields(VideoDiTConfig)})

    @property
    def patch_dim(self) -> int:
        """Values a token: 64 at full size [S Fig 8]."""
        return self.latent_channels * math.prod(self.patch_size)


def patchify(x: Tensor, patch_size: tuple[int, int, int]) -> Tensor:
    """(B, C, T, H, W) -> (B, t h w, p_t p_h p_w C). With a linear layer after it, a convolution of kernel = stride [S §3.1.3]."""
    p_t, p_h, p_w = patch_size
    return rearrange(x, "b c (t pt) (h ph) (w pw) -> b (t h w) (pt ph pw c)", pt=p_t, ph=p_h, pw=p_w)


def unpatchify(tokens: Tensor, grid: tuple[int, int, int], patch_size: tuple[int, int, int]) -> Tensor:
    """The inverse of `patchify`; `grid` is (t, h, w) in patches."""
    (t, h, w), (p_t, p_h, p_w) = grid, patch_size
    return rearrange(
        tokens, "b (t h w) (pt ph pw c) -> b c (t pt) (h ph) (w pw)", t=t, h=h, w=w, pt=p_t, ph=p_h, pw=p_w
    )


@dataclass(frozen=True)
class Condition:
    """What a small module beside the network adds to its inputs; everything is optional. See `moviegen.models.conditioning`."""

    tokens: Tensor | None = None
    """(B, L, D), added to the embedded patches: the same as more input channels."""
    time: Tensor | None = None
    """(B, D), added to the embedding of t."""
    context: TextContext | None = None
    """(B, L', D), as wide as the network, appended to the text."""
    first_frame: int = 0
    """Row of the time table of the first latent frame: a single picture may stand anywhere in a video [S §5.1.2]."""


class VideoDiT(nn.Module, HubModel):
    """The whole network; see `forward`."""

    part_of: PartOf = staticmethod(whole)
    """Which of a sequence's tokens are here; `training.parallel` changes it."""

    @may_be_large
    def __init__(self, config: VideoDiTConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.patch_in = nn.Linear(config.patch_dim, dim, bias=False)
        self.positions = Positions(config.max_frames, config.max_height, config.max_width, dim)
        self.time = TimeEmbedding(dim)
        self.modulation = nn.Linear(dim, 6 * dim, bias=False)
        self.contexts = ContextProjections(config.context_widths, dim)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.final_norm = RMSNorm(dim, eps=config.norm_eps)
        self.final_modulation = nn.Linear(dim, 2 * dim, bias=False)
        self.patch_out = nn.Linear(dim, config.patch_dim, bias=False)
        initialize_transformer(self, (self.modulation, self.final_modulation, self.patch_out))

    def forward(
        self, x_t: Tensor, t: Tensor, contexts: Sequence[TextContext], condition: Condition = Condition()
    ) -> Tensor:
        """x_t (B, C, T, H, W), t (B,), one context a text encoder -> velocity (B, C, T, H, W).

        Every token attends to every other; the text enters by cross-attention over all contexts, one after the other in the
        sequence, padding masked. `condition` is what personalisation, editing or upsampling add.
        """
        grid = self._grid(x_t)
        text = self.contexts(contexts, condition.context)
        part = self.part_of(math.prod(grid))
        positions, features = part.split(self.positions(grid, condition.first_frame)), part.share(text.features)
        embedded = self.time(t)
        if condition.time is not None:
            embedded = embedded + condition.time
        embedded = F.silu(embedded)
        modulation = part.share(rearrange(self.modulation(embedded), "b (m d) -> b m d", m=6))
        x = self.patch_in(part.split(patchify(x_t, self.config.patch_size)))
        if condition.tokens is not None:
            x = x + part.split(condition.tokens)
        for block in self.blocks:
            x = run(block, x + positions, modulation, features, text.mask, part)
        shift, scale = part.share(self.final_modulation(embedded))[:, None].chunk(2, dim=-1)
        x = self.patch_out(modulate(self.final_norm(x), shift, scale))
        return unpatchify(part.gather(x), grid, self.config.patch_size)

    def _grid(self, x_t: Tensor) -> tuple[int, int, int]:
        sizes, patches = x_t.shape[2:], self.config.patch_size
        if x_t.shape[1] != self.config.latent_channels or any(n % p for n, p in zip(sizes, patches, strict=True)):
            raise ValueError(
                f"VideoDiT: latents {tuple(x_t.shape)}, wanted (B, {self.config.latent_channels}, T, H, W) "
                f"in multiples of the patch {patches}"
            )
        t, h, w = (n // p for n, p in zip(sizes, patches, strict=True))
        return t, h, w


class Block(nn.Module):
    """Modulated self-attention, cross-attention, modulated SwiGLU, each added to the stream [S Fig 8].

    The map from t to the six modulation vectors is one for all layers; a layer has only a bias of its own: with a map a layer the
    model would be 40B, not 30B [derived from S Table 1; stated in S §6.1.2]. No norm before cross-attention [S Fig 8].
    """

    def __init__(self, config: VideoDiTConfig) -> None:
        super().__init__()
        self.modulation_bias = nn.Parameter(torch.zeros(6, config.dim))
        self.attention_norm = RMSNorm(config.dim, eps=config.norm_eps)
        self.attention = Attention(config.dim, config.num_heads, qk_norm=config.qk_norm, eps=config.norm_eps)
        self.cross_attention = Attention(config.dim, config.num_heads, qk_norm=config.qk_norm, eps=config.norm_eps)
        self.ffn_norm = RMSNorm(config.dim, eps=config.norm_eps)
        self.ffn = SwiGLU(config.dim, config.ffn_dim)

    def forward(self, x: Tensor, modulation: Tensor, text: Tensor, mask: Tensor, part: Part = WHOLE) -> Tensor:
        """x (B, L, D), modulation (B, 6, D), text (B, L', D), mask (B, L'), the part of a sequence that x is -> (B, L, D)."""
        shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = (modulation + self.modulation_bias).unsqueeze(2).unbind(1)
        normed = modulated_norm(self.attention_norm, x, shift_1, scale_1)
        x = add_gated(x, gate_1, run(self.attention, normed, None, None, None, part))
        x = x + run(self.cross_attention, x, text, mask)
        return add_gated(x, gate_2, run(self.ffn, modulated_norm(self.ffn_norm, x, shift_2, scale_2)))


class Positions(nn.Module):
    """Learned tables for time, height and width whose sum is a token's position; added at the input of every layer [S §3.1.3].

    That all layers share the tables is our decision.
    """

    def __init__(self, max_frames: int, max_height: int, max_width: int, dim: int) -> None:
        super().__init__()
        self.time = nn.Parameter(torch.empty(max_frames, dim))
        self.height = nn.Parameter(torch.empty(max_height, dim))
        self.width = nn.Parameter(torch.empty(max_width, dim))
        for table in self.parameters():
            nn.init.normal_(table, std=0.02)

    def forward(self, grid: tuple[int, int, int], first_frame: int = 0) -> Tensor:
        """(t, h, w) in patches -> (t h w, D), time from row `first_frame` on. Raises ValueError when a table is too short."""
        tables = (self.time[first_frame:], self.height, self.width)
        if any(n > len(table) for n, table in zip(grid, tables, strict=True)):
            raise ValueError(
                f"VideoDiT: {grid} patches in time, height and width, but the position tables have "
                f"{tuple(len(table) for table in tables)} rows; grow_positions makes longer ones"
            )
        t, h, w = (table[:n] for n, table in zip(grid, tables, strict=True))
        return rearrange(t[:, None, None] + h[None, :, None] + w[None, None, :], "t h w d -> (t h w) d")


GrowMode = Literal["interpolate", "append"]


def grow_table(table: Tensor, num_rows: int, mode: GrowMode = "interpolate") -> Tensor:
    """A position table (N, D) with `num_rows` rows.

    `interpolate` stretches it (the same field of view on a finer grid), `append` keeps its rows and draws new ones from
    N(0, 0.02). The paper says only that tables are expanded [S §3.2.2].
    """
    if num_rows < len(table):
        raise ValueError(f"position table of {len(table)} rows cannot shrink to {num_rows}")
    if mode == "append":
        fresh = torch.empty(num_rows - len(table), table.shape[1], dtype=table.dtype, device=table.device).normal_(
            std=0.02
        )
        return torch.cat([table, fresh])
    if mode != "interpolate":
        raise ValueError(f"mode {mode!r}: one of 'interpolate', 'append'")
    return F.interpolate(table.T[None], size=num_rows, mode="linear", align_corners=False)[0].T.contiguous()


def grow_positions(
    model: VideoDiT, *, max_frames: int, max_height: int, max_width: int, mode: GrowMode = "interpolate"
) -> VideoDiT:
    """A copy of the model with longer position tables, for the next stage [S §3.2.2]; time is always appended to (new moments,
    not finer ones: our decision)."""
    grown = VideoDiT(replace(model.config, max_frames=max_frames, max_height=max_height, max_width=max_width))
    state = dict(model.state_dict())
    state["positions.time"] = grow_table(state["positions.time"], max_frames, "append")
    state["positions.height"] = grow_table(state["positions.height"], max_height, mode)
    state["positions.width"] = grow_table(state["positions.width"], max_width, mode)
    grown.load_state_dict(state)
    return grown
