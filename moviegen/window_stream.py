"""MultiDiffusion of any length in memory of a fixed length: the frames come and go, the sums are those of `integrate_windows`.

A window at step k needs its frames after step k - 1, and these are finished as soon as the windows beside it are: so step k can
run one window behind step k - 1. Of a film of any length about as many windows are alive as there are steps.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

from moviegen.sampling import Callback
from moviegen.windows import Span, WindowSum

MAX_STEPS = 400
"""Each step is a generator inside the next, and Python ends at a depth of 1000."""

WindowStep = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(number of a window, x_t on its frames, t, t_next) -> x on its frames at t_next."""

T = TypeVar("T")


class Sliding:
    """Frames along `dim` that come in pieces of any lengths; held are only those from the start last asked for on."""

    def __init__(self, pieces: Iterable[Tensor], dim: int) -> None:
        self.pieces, self.dim = iter(pieces), dim
        self.start, self.held = 0, None

    @property
    def end(self) -> int:
        """First frame that has not come yet."""
        return self.start + (0 if self.held is None else self.held.shape[self.dim])

    def take(self, start: int, end: int) -> Tensor:
        """Frames start..end; what lies before is forgotten. Raises ValueError when it was already, or when the stream ends before."""
        if start < self.start:
            raise ValueError(f"frames from {start}: those before {self.start} are gone")
        self._forget(start)
        parts = [] if self.held is None else [self.held]
        length = self.end
        while length < end:
            piece = next(self.pieces, None)
            if piece is None:
                raise ValueError(f"frames to {end}: the stream ends at {length}")
            length += piece.shape[self.dim]
            parts.append(piece)
        if len(parts) > 1:
            self.held = torch.cat(parts, self.dim)
        elif parts:
            self.held = parts[0]
        self._forget(start)
        assert self.held is not None
        return self.held.narrow(self.dim, 0, end - start)

    def _forget(self, start: int) -> None:
        if self.held is None or start <= self.start:
            return
        gone = min(start - self.start, self.held.shape[self.dim])
        rest = self.held.shape[self.dim] - gone
        self.held = self.held.narrow(self.dim, gone, rest).clone() if rest else None  # a view would keep all of it
        self.start += gone


class WindowValues(Generic[T]):
    """What each window is conditioned on: made in order, each at its first use, and dropped after `num_uses`."""

    def __init__(self, make: Callable[[int], T], num_uses: int) -> None:
        self.make, self.num_uses = make, num_uses
        self.most_live = 0
        """Most values held at one time: does not grow with the number of windows."""
        self._live: dict[int, tuple[T, int]] = {}

    def __call__(self, number: int) -> T:
        """The value of a window."""
        value, left = self._live[number] if number in self._live else (self.make(number), self.num_uses)
        self._live[number] = value, left - 1
        self.most_live = max(self.most_live, len(self._live))
        if left == 1:
            del self._live[number]
        return value


def integrate_stream(
    step: WindowStep,
    spans: Sequence[Span],
    masks: Sequence[Tensor],
    x_0: Iterable[Tensor],
    t_grid: Tensor,
    *,
    dim: int = 2,
    callback: Callback | None = None,
) -> Iterator[Tensor]:
    """`integrate_windows`, its noise coming in pieces along `dim` and its frames going in pieces, each as soon as it is finished.

    `callback` is told (steps of windows done, all of them).
    """
    num_steps = len(t_grid) - 1
    if num_steps > MAX_STEPS:
        raise ValueError(f"{num_steps} steps over windows: at most {MAX_STEPS}")
    tick, pieces = _ticker(callback, num_steps * len(spans)), iter(x_0)
    for number in range(num_steps):
        pieces = _one_step(step, spans, masks, pieces, t_grid[number], t_grid[number + 1], dim, tick)
    return pieces


def _one_step(
    step: WindowStep, spans: Sequence[Span], masks: Sequence[Tensor], pieces: Iterable[Tensor], t: Tensor, t_next: Tensor,
    dim: int, tick: Callable[[], None],
) -> Iterator[Tensor]:  # fmt: skip
    x_t, total = Sliding(pieces, dim), WindowSum(spans, masks, dim)
    for number, (start, end) in enumerate(spans):
        done = total.add(step(number, x_t.take(start, end), t, t_next))
        tick()
        if done.shape[dim]:
            yield done


def _ticker(callback: Callback | None, total: int) -> Callable[[], None]:
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if callback is not None:
            callback(done, total)

    return tick


def frame_noise(shape: Sequence[int], num_frames: int, seeds: Sequence[int], piece: int) -> Iterator[Tensor]:
    """Noise of a film in pieces (B, *shape[:1], `piece`, *shape[1:]), a seed a sample: `shape` is a frame's, channels first.

    Drawn frame by frame, so that the same seed begins with the same noise however long the film is.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    for start in range(0, num_frames, piece):
        count = min(piece, num_frames - start)
        rows = [torch.stack([torch.randn(*shape, generator=g) for _ in range(count)], 1) for g in generators]
        yield torch.stack(rows)
