"""A sequence divided among ranks: first into runs of tokens, one a context rank; each of those again, one run a tensor rank.

A sequence that does not divide is filled up with rows of zeros, which attention never sees and `gather` cuts off: the numbers are those
of the sequence itself. Axis letters: B batch, H heads, L tokens of the whole sequence, N tokens of a rank, D width.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.distributed import ProcessGroup

from moviegen.errors import UsageError
from moviegen.models.execution import AttentionKernel
from moviegen.models.part import Part
from training.parallel.collectives import (
    all_gather,
    gather_rows,
    heads_to_tokens,
    sum_gradients,
    tokens_to_heads,
)
from training.plan.bill import ContextKind


@dataclass(frozen=True)
class Division:
    """How sequences are divided, and with whom; called with a length it gives this rank's part."""

    context: ProcessGroup | None = None
    tensor: ProcessGroup | None = None
    kind: ContextKind = "ulysses"

    def __call__(self, length: int) -> "DividedPart":
        """This rank's part of a sequence of that length."""
        return DividedPart(self, length)

    def __deepcopy__(self, memo: object) -> "Division":
        return self  # groups of processes cannot be copied; a copied network is divided in the same way

    @property
    def sizes(self) -> tuple[int, int]:
        """Ranks that share a sequence, and among them those that share each matrix."""
        return (self.context.size() if self.context else 1, self.tensor.size() if self.tensor else 1)

    @property
    def ranks(self) -> tuple[int, int]:
        """This rank's number among both."""
        return (self.context.rank() if self.context else 0, self.tensor.rank() if self.tensor else 0)


class DividedPart(Part):
    """One rank's part of one sequence. Of gradients: what goes into `split` and `share` gets, on each context rank, (context size) x the
    share of this rank's tokens, so that the mean over context ranks is the gradient, as it is over data-parallel ranks; over tensor
    ranks it is complete and the same on each."""

    def __init__(self, division: Division, length: int) -> None:
        self.division, self.length = division, length
        (self.context_size, tensor_size), (self.context_rank, tensor_rank) = division.sizes, division.ranks
        self.num_rows = -(-length // (self.context_size * tensor_size))
        """Tokens that are here, those that fill up included."""
        self.attended = self.num_rows * tensor_size
        """Tokens whose queries and keys meet here."""
        self.first = self.context_rank * self.attended + tensor_rank * self.num_rows

    def split(self, tokens: Tensor) -> Tensor:
        """(..., L, D) -> (..., N, D)."""
        return _Split.apply(tokens, self)

    def gather(self, tokens: Tensor) -> Tensor:
        """(..., N, D) -> (..., L, D), the same on all ranks, which all make the same of it: one loss."""
        return _Gather.apply(tokens, self)

    def share(self, common: Tensor) -> Tensor:
        """The same values; in the backward tensor ranks add up what each has for it."""
        return sum_gradients(common, self.division.tensor) if self.division.tensor else common

    def rows(self, table: Tensor) -> Tensor:
        """(L, D) -> the rows that `attend` meets."""
        return cut(table, self.context_rank * self.attended, self.attended)

    def attend(self, kernel: AttentionKernel, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """(B, H, N, D) each -> (B, H, N, D); N are the tokens of a context rank."""
        group = self.division.context
        if group is None:
            return self._without_filling(kernel, query, key, value, mask)
        if self.division.kind == "ulysses":
            whole = tokens_to_heads(torch.cat([query, key, value]), group).chunk(3)
            return heads_to_tokens(self._without_filling(kernel, *whole, mask), group)
        key, value = gather_rows(torch.cat([key, value]), group)[..., : self.length, :].chunk(2)
        return kernel(query, key, value, mask)

    def _without_filling(
        self, kernel: AttentionKernel, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
    ) -> Tensor:
        if not (filling := query.shape[-2] - self.length):
            return kernel(query, key, value, mask)
        real = (each[..., : self.length, :] for each in (query, key, value))
        return F.pad(kernel(*real, mask), (0, 0, 0, filling))


def cut(x: Tensor, first: int, number: int) -> Tensor:
    """A copy of `number` rows of (..., L, D) from `first` on; beyond its end they are 0."""
    start = min(first, x.shape[-2])
    rows = x.narrow(-2, start, min(number, x.shape[-2] - start))
    return F.pad(rows, (0, 0, 0, number - rows.shape[-2])) if rows.shape[-2] < number else rows.clone()


class _Split(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, part: DividedPart) -> Tensor:
        ctx.part = part
        return cut(x, part.first, part.num_rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        part: DividedPart = ctx.part
        if part.division.tensor:
            g = all_gather(g, part.division.tensor)
        out = g.new_zeros(*g.shape[:-2], part.length, g.shape[-1])
        own = out[..., part.context_rank * part.attended :, :][..., : part.attended, :]
        own.copy_(g[..., : own.shape[-2], :])
        return out, None


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, part: DividedPart) -> Tensor:
        ctx.part = part
        for group in (part.division.tensor, part.division.context):
            x = all_gather(x, group) if group else x
        return x[..., : part.length, :].contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        part: DividedPart = (
            ctx.part
        )  # every context rank has the same loss: the sum of their gradients is so many times its own
        return cut(g, part.first, part.num_rows) * part.context_size, None


def transformer_of(network: nn.Module) -> nn.Module:
    """The transformer that a network is, or has within it. Raises UsageError when it has none whose sequence can be divided."""
    for module in network.modules():
        if hasattr(module, "part_of"):
            return module
    raise UsageError(
        f"{type(network).__name__} is no transformer whose sequence can be divided: leave mesh.context and mesh.tensor at 1"
    )


def divide(network: nn.Module, division: Division) -> None:
    """Makes a network's transformer work on parts of its sequences. Raises UsageError when its heads do not divide."""
    transformer, (context, tensor) = transformer_of(network), division.sizes
    parts, heads = tensor * (context if division.kind == "ulysses" else 1), transformer.config.num_heads
    if heads % parts:
        wanted = "mesh.tensor x mesh.context" if division.kind == "ulysses" else "mesh.tensor"
        raise UsageError(
            f"{type(transformer).__name__} has {heads} heads, which {wanted} = {parts} ranks do not divide; "
            "choose a divisor of the heads" + (", or context parallelism of kind gather" if parts > tensor else "")
        )
    transformer.part_of = division
