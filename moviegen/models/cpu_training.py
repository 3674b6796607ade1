"""Steps of a transformer block with backward passes of their own, for training on a CPU, where PyTorch takes them apart: fewer walks
through memory and larger matrix products, the same values but for rounding. On other devices a compiler does this.

Axis letters: B batch, L tokens, D width.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

MIN_TOKENS = 1024
"""Tokens of a batch from which on blocks take these steps: for fewer, their calls cost what they save (our decision)."""


def on_cpu_with_gradients(x: Tensor) -> bool:
    """Whether x is in eager training on a CPU."""
    return x.device.type == "cpu" and torch.is_grad_enabled() and not torch.compiler.is_compiling()


def pays(x: Tensor) -> bool:
    """Whether these steps are worth taking for x (B, L, D): not for half types, nor under autocast, which changes types between passes."""
    enough = x[..., 0].numel() >= MIN_TOKENS and x.dtype in (torch.float32, torch.float64)
    return enough and on_cpu_with_gradients(x) and not torch.is_autocast_enabled("cpu")


def are_plain(linears: Sequence[nn.Module]) -> bool:
    """Whether these are linear maps without bias whose weights are whole and here: not split over ranks, not replaced by an adapter."""
    return all(type(m) is nn.Linear and type(m.weight) is nn.Parameter and m.bias is None for m in linears)


def norm_of_mixed(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """F.rms_norm, of x's type; where the weight has another, as under autocast, taken in the wider one: as PyTorch, but by its kernel."""
    wide = torch.promote_types(x.dtype, weight.dtype)
    return F.rms_norm(x.to(wide), weight.shape, weight.to(wide), eps).to(x.dtype)


class RMSNormOnCPU(torch.autograd.Function):
    """y = w x / rms(x). With n = x / rms(x): dw = sum of g n; dx = (g w - n mean(g w n)) / rms(x)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.eps = eps
        return norm_of_mixed(x, weight, eps)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        width, kind = x.shape[-1], x.dtype
        wide = torch.promote_types(kind, weight.dtype)  # under autocast x may be bfloat16 and the weight is not
        x, g = x.to(wide), g.to(wide)
        inverse = torch.rsqrt(torch.linalg.vector_norm(x, dim=-1, keepdim=True).square() / width + ctx.eps)
        normed, weighted = x * inverse, g * weight
        along = torch.linalg.vecdot(weighted, normed)[..., None] / width
        return ((weighted - normed * along) * inverse).to(kind), (g * normed).flatten(0, -2).sum(0), None


class ModulatedRMSNorm(torch.autograd.Function):
    """y = m n + shift with n = x / rms(x), m = w (1 + scale): norm and modulation (B, 1, D) in one.

    dm = sum of g n over the tokens; dx as for the norm with m for w.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float, shift: Tensor, scale: Tensor) -> Tensor:
        mean_square = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1])
        inverse, multiplier = mean_square.add_(eps).rsqrt_(), weight * (1 + scale)
        ctx.save_for_backward(x, inverse, weight, scale, multiplier)
        return torch.addcmul(shift, x * inverse, multiplier)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, None, Tensor, Tensor]:  # type: ignore[override]
        x, inverse, weight, scale, multiplier = ctx.saved_tensors
        normed = x * inverse
        d_multiplier = (g * normed).sum(1, keepdim=True)
        dx = g * multiplier
        along = torch.linalg.vecdot(dx, normed)[..., None].div_(x.shape[-1])
        dx.addcmul_(normed, along, value=-1).mul_(inverse)
        return dx, (d_multiplier * (1 + scale)).sum((0, 1)), None, g.sum(1, keepdim=True), d_multiplier * weight


class JointLinear(torch.autograd.Function):
    """x W_1^T, x W_2^T, ... of maps of one size as one product, forward and backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        joint = torch.cat(weights)
        ctx.save_for_backward(x, joint)
        return F.linear(x, joint).split(len(weights[0]), dim=-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        x, joint = ctx.saved_tensors
        g = torch.cat(gradients, dim=-1).flatten(0, -2)
        d_joint = g.T @ x.flatten(0, -2)
        return (g @ joint).view_as(x), *d_joint.split(gradients[0].shape[-1])
