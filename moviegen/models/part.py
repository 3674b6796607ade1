"""Which part of a sequence this process works on: all of it, unless whoever trains the network divides it (`training.parallel`).

Axis letters: B batch, H heads, L tokens of the whole sequence, N tokens here, D width.
"""

from collections.abc import Callable

from torch import Tensor

from moviegen.models.execution import AttentionKernel


class Part:
    """All of a sequence, as one process sees it; a subclass keeps some of the tokens and speaks with the processes that have the others."""

    def split(self, tokens: Tensor) -> Tensor:
        """(..., L, D) -> the tokens that are here (..., N, D)."""
        return tokens

    def gather(self, tokens: Tensor) -> Tensor:
        """The inverse of `split`: (..., N, D) -> (..., L, D)."""
        return tokens

    def share(self, common: Tensor) -> Tensor:
        """What every token sees (text, modulation), as the processes that share the tokens use it: the same values."""
        return common

    def rows(self, table: Tensor) -> Tensor:
        """Rows of a table of positions (L, D), of the tokens whose queries and keys meet here before `attend`."""
        return table

    def attend(self, kernel: AttentionKernel, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """Attention of the queries that are here (B, H, N, D) to the whole sequence; `mask` (B, L) is True where a key may be seen."""
        return kernel(query, key, value, mask)


WHOLE = Part()


def whole(length: int) -> Part:
    """The whole of a sequence of that length: what a network does unless told otherwise."""
    return WHOLE


PartOf = Callable[[int], Part]
"""Length of a sequence -> the part of it that is here."""
