"""Parts that more than one network uses. Axis letters: B batch, L tokens, D width."""

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from moviegen.models.cpu_training import (
    JointLinear,
    ModulatedRMSNorm,
    RMSNormOnCPU,
    are_plain,
    norm_of_mixed,
    on_cpu_with_gradients,
    pays,
)
from moviegen.models.execution import AttentionKernel, sdpa
from moviegen.models.part import WHOLE, Part


class RMSNorm(nn.RMSNorm):
    """nn.RMSNorm with a backward of its own on a CPU, where PyTorch has none and takes it apart: the same values, a third of the time."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        if on_cpu_with_gradients(x):
            return RMSNormOnCPU.apply(x, self.weight, self.eps)
        return super().forward(x) if x.dtype == self.weight.dtype else norm_of_mixed(x, self.weight, self.eps)


class SwiGLU(nn.Module):
    """w_out(silu(w_gate x) * w_in x), without biases: (B, L, D) -> (B, L, D) [S Tables 1, 9]."""

    def __init__(self, dim: int, ffn_dim: int) -> None:
        super().__init__()
        self.gate = nn.Linear(dim, ffn_dim, bias=False)
        self.input = nn.Linear(dim, ffn_dim, bias=False)
        self.output = nn.Linear(ffn_dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(F.silu(self.gate(x)) * self.input(x))


class Attention(nn.Module):
    """Multi-head attention without biases; queries from x (B, L, D), keys and values from x or from a context (B, L', D).

    As many key heads as query heads [S §3.1.6]. RMS norm of queries and keys is off unless asked for (our decision).
    """

    kernel: AttentionKernel = staticmethod(sdpa)
    """What computes it; `moviegen.models.execution.set_attention` changes it."""

    def __init__(self, dim: int, num_heads: int, *, qk_norm: bool = False, eps: float = 1e-5) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"width {dim} is not divisible by {num_heads} heads")
        self.num_heads, self.head_dim = num_heads, dim // num_heads
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.output = nn.Linear(dim, dim, bias=False)
        self.query_norm = RMSNorm(dim // num_heads, eps=eps) if qk_norm else nn.Identity()
        self.key_norm = RMSNorm(dim // num_heads, eps=eps) if qk_norm else nn.Identity()

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        mask: Tensor | None = None,
        rotation: Tensor | None = None,
        part: Part = WHOLE,
    ) -> Tensor:
        """`mask` (B, L') is True where a key may be seen; every sample needs at least one. `rotation` is `rotary_angles`', of the
        rows that are here; `part` is that of a sequence that attends to itself."""
        projected = self._project(x, x if context is None else context)
        query, key, value = (rearrange(t, "b l (h d) -> b h l d", d=self.head_dim) for t in projected)
        query, key = self.query_norm(query), self.key_norm(key)
        if rotation is not None:
            query, key = rotate(query, rotation), rotate(key, rotation)
        out = part.attend(self.kernel, query, key, value, mask)
        return self.output(rearrange(out, "b h l d -> b l (h d)"))

    def _project(self, x: Tensor, source: Tensor) -> tuple[Tensor, ...]:
        linears = (self.query, self.key, self.value)
        if x is source and pays(x) and are_plain(linears):
            return JointLinear.apply(x, *(linear.weight for linear in linears))
        return self.query(x), self.key(source), self.value(source)


class TimeEmbedding(nn.Module):
    """t (B,) in [0, 1] -> (B, D): sinusoids of 1000 t, then a two-layer perceptron. The paper is silent; our decision."""

    def __init__(self, dim: int, num_frequencies: int = 256) -> None:
        super().__init__()
        self.num_frequencies = num_frequencies
        self.input = nn.Linear(num_frequencies, dim, bias=False)
        self.output = nn.Linear(dim, dim, bias=False)

    def forward(self, t: Tensor) -> Tensor:
        return self.output(F.silu(self.input(sinusoids(1000 * t, self.num_frequencies).to(self.input.weight.dtype))))


def initialize_transformer(network: nn.Module, silent: Iterable[nn.Linear]) -> None:
    """N(0, 0.02) for every linear map of a network of `blocks`; smaller by sqrt(2 layers) where a block ends a branch; zero for `silent`.

    The paper is silent on all of it; our decision.
    """
    blocks = list(network.blocks)  # type: ignore[arg-type]
    if next(network.parameters()).is_meta:  # nothing to fill, and each call that does so would take its time
        return
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
    for block in blocks:
        for projection in (block.attention.output, block.cross_attention.output, block.ffn.output):
            nn.init.normal_(projection.weight, std=0.02 / math.sqrt(2 * len(blocks)))
    for linear in silent:
        nn.init.zeros_(linear.weight)


def sinusoids(positions: Tensor, dim: int, max_period: float = 10_000.0) -> Tensor:
    """cos and sin of `positions` (B,) at dim / 2 frequencies from 1 down to 1 / max_period: (B, dim)."""
    frequencies = torch.exp(
        torch.arange(dim // 2, device=positions.device, dtype=torch.float32) * (-math.log(max_period) / (dim // 2))
    )
    angles = positions.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def rotary_angles(length: int, head_dim: int, base: float = 10_000.0, device: torch.device | str = "cpu") -> Tensor:
    """Angle of each position in each of head_dim / 2 planes, from 1 turn a radian down to 1 / base: (length, head_dim / 2)."""
    frequencies = base ** (-torch.arange(0, head_dim, 2, device=device, dtype=torch.float32) / head_dim)
    return torch.outer(torch.arange(length, device=device, dtype=torch.float32), frequencies)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """x (B, H, L, D) with each plane (i, i + D / 2) turned by its angle (L, D / 2): rotary positions, as in Llama."""
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class GELUFeedForward(nn.Module):
    """w_out(gelu(w_in x)), without biases: the two matrices that make the audio model 13B [spec 6.2, derived]."""

    def __init__(self, dim: int, ffn_dim: int) -> None:
        super().__init__()
        self.input = nn.Linear(dim, ffn_dim, bias=False)
        self.output = nn.Linear(ffn_dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) -> (B, L, D)."""
        return self.output(F.gelu(self.input(x)))


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """x (1 + scale) + shift; shift and scale are (B, 1, D)."""
    return x * (1 + scale) + shift


def modulated_norm(norm: RMSNorm, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """modulate(norm(x), shift, scale)."""
    if pays(x):
        return ModulatedRMSNorm.apply(x, norm.weight, norm.eps, shift, scale)
    return modulate(norm(x), shift, scale)


def add_gated(x: Tensor, gate: Tensor, branch: Tensor) -> Tensor:
    """x + gate * branch; gate is (B, 1, D)."""
    return torch.addcmul(x, gate, branch) if pays(x) else x + gate * branch
