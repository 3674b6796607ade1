"""Overlapping windows along time and how to blend them: what the TAE's tiling uses [S §3.1.1]."""

from collections.abc import Sequence

import torch
from torch import Tensor


def tile_spans(length: int, size: int, overlap: int) -> list[tuple[int, int]]:
    """(start, end) of tiles of `size` at a stride of `size - overlap` that cover 0..length; the last may be shorter.

    32 latent frames in tiles of 4 with an overlap of 2 are 15 tiles.
    """
    if not 0 <= overlap < size or length < 1:
        raise ValueError(
            f"tiles: length {length}, size {size}, overlap {overlap}; wanted length >= 1, 0 <= overlap < size"
        )
    spans, start = [(0, min(size, length))], 0
    while spans[-1][1] < length:
        start += size - overlap
        spans.append((start, min(start + size, length)))
    return spans


def fade_in(num_frames: int, device: torch.device | str = "cpu") -> Tensor:
    """Weight of the later tile on each of the frames two tiles share: (j + 1/2) / N, rising.

    The paper prints j / N as the weight of the *earlier* tile, which would fade it in [S §3.1.1, erratum]; we fade it out. The
    half is our decision: both tiles then count alike.
    """
    return (torch.arange(num_frames, device=device) + 0.5) / num_frames


def blend_tiles(tiles: Sequence[Tensor], spans: Sequence[tuple[int, int]], dim: int) -> Tensor:
    """One tensor from tiles that overlap along `dim`, cross-faded where two of them meet.

    Tile i holds the frames spans[i] = (start, end). Weights sum to 1 on every frame, so that a constant stays constant.
    """
    out, end = tiles[0], spans[0][1]
    for tile, (start, tile_end) in zip(tiles[1:], spans[1:], strict=True):
        shared = end - start
        if shared > 0:
            shape = [1] * tile.dim()
            shape[dim] = shared
            weight = fade_in(shared, tile.device).to(tile.dtype).reshape(shape)
            mixed = torch.lerp(out.narrow(dim, start, shared), tile.narrow(dim, 0, shared), weight)
            out = torch.cat([out.narrow(dim, 0, start), mixed, tile.narrow(dim, shared, tile_end - end)], dim)
        else:
            out = torch.cat([out, tile], dim)
        end = tile_end
    return out
