"""What ranks that share one network say to each other, with the gradient of each saying. Plain `torch.distributed`, any back end.

Axis letters: B batch, H heads, N rows (tokens) of a rank, c ranks of the group, D width.
"""

from typing import Any

import torch
import torch.distributed as dist
from einops import rearrange
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.distributed import ProcessGroup

_all_gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
_reduce_scatter = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor
"""PyTorch 2.14 gave both another name."""


def all_gather(rows: Tensor, group: ProcessGroup) -> Tensor:
    """Every rank's rows (..., N, D), one rank after the other: (..., c N, D). Without a gradient."""
    out = rows.new_empty(group.size() * rows.shape[0], *rows.shape[1:])
    _all_gather(out, rows.contiguous(), group=group)
    return out.unflatten(0, (group.size(), -1)).movedim(0, -3).flatten(-3, -2)


def reduce_scatter(rows: Tensor, group: ProcessGroup) -> Tensor:
    """The sum over ranks of their (..., c N, D), of which each gets its own rows (..., N, D). Without a gradient."""
    parts = rows.unflatten(-2, (group.size(), -1)).movedim(-3, 0).contiguous()
    out = parts.new_empty(parts.shape[1:])
    _reduce_scatter(out, parts.flatten(0, 1), group=group)
    return out


def all_to_all(parts: Tensor, group: ProcessGroup) -> Tensor:
    """(c, ...): part i goes to rank i; the part that comes from rank i is at i. Without a gradient."""
    parts = parts.contiguous()
    out = torch.empty_like(parts)
    dist.all_to_all_single(out, parts, group=group)
    return out


def tokens_to_heads(x: Tensor, group: ProcessGroup) -> Tensor:
    """All heads of a rank's tokens -> its share of the heads, of all tokens: (B, H, N, D) -> (B, H / c, c N, D)."""
    return _TokensToHeads.apply(x, group)


def heads_to_tokens(x: Tensor, group: ProcessGroup) -> Tensor:
    """The inverse of `tokens_to_heads`."""
    return _HeadsToTokens.apply(x, group)


def gather_rows(x: Tensor, group: ProcessGroup) -> Tensor:
    """`all_gather`; a row's gradient is the sum of what all ranks have for it."""
    return _GatherRows.apply(x, group)


def scatter_rows(x: Tensor, group: ProcessGroup) -> Tensor:
    """`reduce_scatter`; gradients are gathered."""
    return _ScatterRows.apply(x, group)


def sum_gradients(x: Tensor, group: ProcessGroup) -> Tensor:
    """x, the same on all ranks, each of which uses it for a part of the whole; its gradient is the sum of theirs."""
    return _SumGradients.apply(x, group)


def _to_heads(x: Tensor, group: ProcessGroup) -> Tensor:
    received = all_to_all(rearrange(x, "b (c h) n d -> c b h n d", c=group.size()), group)
    return rearrange(received, "c b h n d -> b h (c n) d")


def _to_tokens(x: Tensor, group: ProcessGroup) -> Tensor:
    received = all_to_all(rearrange(x, "b h (c n) d -> c b h n d", c=group.size()), group)
    return rearrange(received, "c b h n d -> b (c h) n d")


class _TokensToHeads(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        return _to_heads(x, group)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return _to_tokens(g, ctx.group), None


class _HeadsToTokens(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        return _to_tokens(x, group)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return _to_heads(g, ctx.group), None


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        return all_gather(x, group)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return reduce_scatter(g, ctx.group), None


class _ScatterRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        return reduce_scatter(x, group)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return all_gather(g, ctx.group), None


class _SumGradients(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        return x.view_as(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        total = g.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=ctx.group)
        return total, None
