"""Long clips and large frames through an autoencoder piece by piece: tiles that stream in time, tiles of a frame's sides.

Tiles in time are the paper's [S §3.1.1]; tiles of the sides are our option for frames that do not fit at all.

Axis letters: B batch, C channels, T frames, H W rows and columns.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from moviegen.windows import blend_tiles, fade_in, tile_spans

SIDE_OVERLAP_FRACTION = 0.25
"""Of a tile's side that it shares with its neighbour, cross-faded (our decision)."""


def regroup(pieces: Iterable[Tensor], num_frames: int) -> Iterator[Tensor]:
    """The same frames (dim 2) in pieces of `num_frames`, the last one shorter; no more than a piece of each kind is held."""
    held: list[Tensor] = []
    for piece in pieces:
        for part in _split_to_fill(piece, num_frames, sum(tensor.shape[2] for tensor in held)):
            held.append(part)
            if sum(tensor.shape[2] for tensor in held) == num_frames:
                yield torch.cat(held, dim=2)
                held = []
    if held:
        yield torch.cat(held, dim=2)


def blend_stream(tiles: Iterable[Tensor], spans: Sequence[tuple[int, int]]) -> Iterator[Tensor]:
    """What `blend_tiles` would give along dim 2, in pieces and in order; held are a tile and what the one before shares with it."""
    held, starts = None, [start for start, _ in spans[1:]] + [spans[-1][1]]
    for tile, (start, _), following in zip(tiles, spans, starts, strict=True):
        if held is not None and held.shape[2]:
            shared = held.shape[2]
            weight = fade_in(shared, tile.device).to(tile.dtype).view(1, 1, -1, 1, 1)
            mixed = torch.lerp(held, tile[:, :, :shared], weight)
            tile = torch.cat([mixed, tile[:, :, shared:]], dim=2)
        yield tile[:, :, : following - start]
        held = tile[:, :, following - start :].clone()  # not a view, which would hold the whole tile


def in_side_tiles(call: Callable[[Tensor], Tensor], x: Tensor, tile: int, step_in: int, step_out: int) -> Tensor:
    """`call` on overlapping tiles of H and W, cross-faded. Sides are counted in places (of the latent): `tile` of them a tile,
    `step_in` rows or columns a place in `x` (..., H, W), `step_out` in what `call` makes of it."""
    overlap = int(tile * SIDE_OVERLAP_FRACTION)
    rows, columns = (tile_spans(x.shape[dim] // step_in, tile, overlap) for dim in (3, 4))
    bands = []
    for top, bottom in rows:
        band = x[..., top * step_in : bottom * step_in, :]
        tiles = [call(band[..., left * step_in : right * step_in]) for left, right in columns]
        bands.append(blend_tiles(tiles, [(left * step_out, right * step_out) for left, right in columns], dim=4))
    return blend_tiles(bands, [(top * step_out, bottom * step_out) for top, bottom in rows], dim=3)


def _split_to_fill(piece: Tensor, num_frames: int, held: int) -> list[Tensor]:
    first = min(num_frames - held, piece.shape[2])
    rest = piece.shape[2] - first
    sizes = [first, *[num_frames] * (rest // num_frames), rest % num_frames]
    return [part for part in piece.split(sizes, dim=2) if part.shape[2]]
