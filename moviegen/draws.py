"""Random numbers of one global batch, of which each rank takes its own rows: the same numbers on any number of ranks.

A rank draws what one rank would draw for the whole batch and keeps its rows. Where it can it draws row by row, so that no more than a
row is held beside those it keeps; a row takes as long as copying it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 16
"""PyTorch's CPU generator makes normal numbers in blocks of so many: rows of whole blocks are the same drawn together or one by one."""


class Rows(NamedTuple):
    """Which rows of a global batch a rank has: every `every`-th from `first` on, of `size`."""

    first: int = 0
    every: int = 1
    size: int | None = None
    """None: all that the rank has are all there are."""

    def numbers(self, num: int) -> range:
        """Number in the global batch of each of `num` rows."""
        return range(self.first, self.first + num * self.every, self.every)


ALL_ROWS = Rows()


class RowGenerator(torch.Generator):
    """A generator whose numbers are dealt out by rows; any other is used as it is."""

    rows: Rows = ALL_ROWS

    @classmethod
    def of(cls, rows: Rows, seed: int, device: torch.device | str = "cpu") -> "RowGenerator":
        """A generator for these rows: the seed is the batch's, the same on all ranks."""
        generator = cls(device)
        generator.manual_seed(seed)
        generator.rows = rows
        return generator


Draw = Callable[..., Tensor]
"""torch.randn or torch.rand."""


def draw(
    function: Draw,
    shape: Sequence[int],
    generator: torch.Generator | None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Random numbers of a shape whose first axis are samples, or as many of each sample; on `device`, the generator's where there is
    one."""
    rows = generator.rows if isinstance(generator, RowGenerator) else ALL_ROWS
    place = {"generator": generator, "device": device if generator is None else generator.device, "dtype": dtype}
    if rows.size is None or (rows.every == 1 and place["device"].type == "cpu"):
        return function(tuple(shape), **place)
    each = shape[0] // len(range(rows.first, rows.size, rows.every))
    row = (each, *shape[1:])
    if place["device"].type == "cpu" and torch.Size(row).numel() % BLOCK:
        return function((rows.size, *row), **place)[rows.first :: rows.every].reshape(tuple(shape))
    mine = torch.empty((shape[0] // each, *row), device=place["device"], dtype=dtype)
    for number in range(rows.size):
        numbers = function(row, **place)
        if number % rows.every == rows.first:
            mine[number // rows.every] = numbers
    return mine.reshape(tuple(shape))
