"""Overlapping windows along an axis: where they lie, how much each counts on a frame, and their weighted sum.

One set of maths for three users: tiles of the TAE [S §3.1.1], MultiDiffusion of the upsampler [S §3.1.5] and the segments of audio
extension [S §6.1.5]. Masks sum to 1 on every frame, so that a constant stays constant.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Span = tuple[int, int]
"""(start, end) of a window, end exclusive."""

MIN_WEIGHT = 1e-6
"""Least weight of a window on a frame it holds: the triangle is 0 at its ends, where the first frame has no other window [our decision]."""


def tile_spans(length: int, size: int, overlap: int) -> list[Span]:
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


def segment_spans(length: int, hop: int, context: int) -> list[Span]:
    """Segments of audio extension: the j-th begins `context` frames before its hop and ends with it [S §6.1.5].

    The first has no context before it, so it is shorter; the last ends with the audio. Hop 15, context 5: (0, 15), (10, 30), ...
    """
    if length < 1 or hop < 1 or context < 0:
        raise ValueError(
            f"segments: length {length}, hop {hop}, context {context}; wanted length, hop >= 1, context >= 0"
        )
    return [(max(0, start - context), min(length, start + hop)) for start in range(0, length, hop)]


def fade_in(num_frames: int, device: torch.device | str = "cpu") -> Tensor:
    """Weight of the later tile on each of the frames two tiles share: (j + 1/2) / N, rising.

    The paper prints j / N as the weight of the *earlier* tile, which would fade it in [S §3.1.1, erratum]; we fade it out. The
    half is our decision: both tiles then count alike.
    """
    return (torch.arange(num_frames, device=device) + 0.5) / num_frames


def fade_masks(spans: Sequence[Span]) -> list[Tensor]:
    """A mask a window: each fades in over what it shares with the one before, and fades out as the next ones fade in. float64."""
    masks: list[Tensor] = []
    end = spans[0][0]
    for start, stop in spans:
        shared = max(end - start, 0)
        rise = torch.cat([fade_in(shared).double(), torch.ones(stop - start - shared, dtype=torch.float64)])
        for mask, (first, last) in zip(masks, spans, strict=False):
            if last > start:
                mask[start - first :] *= 1 - rise[: last - start]
        masks.append(rise)
        end = stop
    return masks


def triangle(size: int) -> Tensor:
    """The Bartlett window 2 / (n - 1) ((n - 1) / 2 - |i - (n - 1) / 2|) [S §6.1.5], at least `MIN_WEIGHT`. (size,) float64."""
    return torch.bartlett_window(size, periodic=False, dtype=torch.float64).clamp_min(MIN_WEIGHT)


def flat(size: int) -> Tensor:
    """Ones: every window counts alike. (size,) float64."""
    return torch.ones(size, dtype=torch.float64)


def shaped_masks(spans: Sequence[Span], shape: Callable[[int], Tensor] = triangle) -> list[Tensor]:
    """A mask a window: `shape` of its size, over the sum of all windows on that frame [S §6.1.5]. float64."""
    windows = [shape(end - start) for start, end in spans]
    total = torch.zeros(max(end for _, end in spans), dtype=torch.float64)
    for window, (start, end) in zip(windows, spans, strict=True):
        total[start:end] += window
    return [window / total[start:end] for window, (start, end) in zip(windows, spans, strict=True)]


class WindowSum:
    """The weighted sum of windows that come one after another; holds only the frames that a later window may still add to."""

    def __init__(self, spans: Sequence[Span], masks: Sequence[Tensor], dim: int) -> None:
        self.spans, self.masks, self.dim = list(spans), list(masks), dim
        self.starts = [min((start for start, _ in spans[i:]), default=None) for i in range(1, len(spans))] + [None]
        self.num_added = 0
        self.start = spans[0][0]
        self.open: Tensor | None = None

    def add(self, window: Tensor) -> Tensor:
        """Adds the next window; the frames along `dim` that are finished now, none or many."""
        start, end = self.spans[self.num_added]
        shape = [1] * window.dim()
        shape[self.dim] = end - start
        weighted = window * self.masks[self.num_added].to(window).reshape(shape)
        shared = 0 if self.open is None else self.open.shape[self.dim] - (start - self.start)
        if self.open is None:
            self.open = weighted
        elif shared >= end - start:
            self.open.narrow(self.dim, start - self.start, end - start).add_(weighted)
        else:
            self.open.narrow(self.dim, start - self.start, shared).add_(weighted.narrow(self.dim, 0, shared))
            rest = weighted.narrow(self.dim, shared, end - start - shared)
            self.open = torch.cat([self.open, rest], self.dim)
        next_start = self.starts[self.num_added]
        self.num_added += 1
        return self._take(self.open.shape[self.dim] if next_start is None else next_start - self.start)

    def _take(self, num_frames: int) -> Tensor:
        done = self.open.narrow(self.dim, 0, num_frames)
        rest = self.open.shape[self.dim] - num_frames
        self.open = self.open.narrow(self.dim, num_frames, rest).clone()
        self.start += num_frames
        return done


def blend(windows: Sequence[Tensor], spans: Sequence[Span], masks: Sequence[Tensor], dim: int) -> Tensor:
    """The weighted sum of windows along `dim`: one tensor of all their frames."""
    total = WindowSum(spans, masks, dim)
    return torch.cat([total.add(window) for window in windows], dim)


def blend_tiles(tiles: Sequence[Tensor], spans: Sequence[Span], dim: int) -> Tensor:
    """One tensor from tiles that overlap along `dim`, cross-faded where two of them meet."""
    return blend(tiles, spans, fade_masks(spans), dim)
