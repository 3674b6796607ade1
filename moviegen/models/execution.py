"""How a network is run, chosen from outside and never part of its config or weights: attention kernels, what is recomputed, compiling."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

AttentionKernel = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
"""(queries (B, H, L, D), keys and values (B, H, L', D), mask (B, L') True where a key may be seen, or None) -> (B, H, L, D)."""


def sdpa(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """PyTorch's scaled dot-product attention, which picks the best kernel it has: the default.

    Under a CPU's autocast it learns in float32: its backward in bfloat16 takes fifteen times as long there.
    """
    bias = None if mask is None else mask[:, None, None, :]
    if query.device.type == "cpu" and torch.is_autocast_enabled("cpu") and query.requires_grad:
        with torch.autocast("cpu", enabled=False):
            wide = F.scaled_dot_product_attention(query.float(), key.float(), value.float(), attn_mask=bias)
            return wide.to(query.dtype)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)


def flex(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Flex attention: compiled on a GPU; on a CPU plain and slow, and forward only."""
    if query.device.type == "cpu" and torch.is_grad_enabled() and query.requires_grad:
        raise ValueError("flex attention has no backward on a CPU: use the sdpa kernel there")
    if mask is None:
        return _flex(query.device.type)(query, key, value)

    def hide_padding(score: Tensor, batch: Tensor, head: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return torch.where(mask[batch, k], score, -torch.inf)

    return _flex(query.device.type)(query, key, value, score_mod=hide_padding)


@cache
def _flex(device: str) -> Callable[..., Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    return flex_attention if device == "cpu" else torch.compile(flex_attention, dynamic=False)


ATTENTION_KERNELS: dict[str, AttentionKernel] = {"sdpa": sdpa, "flex": flex}
"""By the name that YAML and `set_attention` take."""


def set_attention(network: nn.Module, name: str) -> None:
    """Makes every attention of a network use the kernel of that name. Raises ValueError naming those there are."""
    if name not in ATTENTION_KERNELS:
        raise ValueError(f"attention kernel {name!r}: one of {', '.join(ATTENTION_KERNELS)}")
    for module in network.modules():
        if hasattr(module, "kernel") and callable(module.kernel):
            module.kernel = ATTENTION_KERNELS[name]


CHECKPOINTED = "is_checkpointed"


def run(module: nn.Module, *args: Any) -> Any:
    """module(*args); where `set_checkpointing` said so, its inner activations are not kept but computed again in the backward."""
    if getattr(module, CHECKPOINTED, False) and torch.is_grad_enabled():
        return checkpoint(module, *args, use_reentrant=False)
    return module(*args)


def blocks_of(network: nn.Module) -> nn.ModuleList:
    """The blocks of a transformer, or of the one within it. Raises ValueError when there are none."""
    for module in network.modules():
        if isinstance(blocks := getattr(module, "blocks", None), nn.ModuleList):
            return blocks
    raise ValueError(f"{type(network).__name__} has no blocks")


OPS = ("block", "attention", "cross_attention", "ffn")
"""Kinds of op whose activations can be recomputed, each counted in blocks."""


def set_checkpointing(network: nn.Module, counts: Mapping[str, int]) -> None:
    """Recomputes the activations of an op in the first `counts[op]` blocks: {"ffn": 48, "attention": 12}. Values do not change.

    Raises ValueError for an op that does not exist or more blocks than there are.
    """
    blocks = list(blocks_of(network))
    for op, number in counts.items():
        if op not in OPS or not 0 <= number <= len(blocks):
            raise ValueError(
                f"checkpointing {op}: {number}; wanted one of {', '.join(OPS)} and 0 to {len(blocks)} blocks"
            )
    for op in OPS:
        for index, block in enumerate(blocks):
            module = block if op == "block" else getattr(block, op)
            setattr(module, CHECKPOINTED, index < counts.get(op, 0))


def compile_blocks(network: nn.Module, **options: Any) -> None:
    """Compiles each block of a network by itself, in place: blocks are alike, so that one compilation serves all of them.

    Names of weights stay. `options` are torch.compile's.
    """
    for block in blocks_of(network):
        block.compile(**options)


@dataclass(frozen=True)
class Execution:
    """The three at once, as YAML says them: no part of a network, so that it may change between two runs of one stage."""

    attention: str = "sdpa"
    """Name of the attention kernel."""
    checkpointing: dict[str, int] = field(default_factory=dict)
    """Kind of op -> in how many blocks it is computed again in the backward; see `set_checkpointing`."""
    compile: bool = False
    """Compiles block by block."""

    def apply(self, network: nn.Module) -> None:
        """Makes a network with `blocks` run so. Raises ValueError naming what does not fit."""
        set_attention(network, self.attention)
        set_checkpointing(network, self.checkpointing)
        if self.compile:
            compile_blocks(network)
