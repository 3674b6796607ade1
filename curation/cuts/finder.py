"""Transitions of a video from its frames: hard cuts, dissolves, fades, wipes and slides with their extent.

Nothing is learned; the thresholds were set on real media with ground truth and on seeds of the hard suite that are not published, and are
our decision. What is found at a frame depends on the `CONTEXT_FRAMES` before and after it alone: a video may be worked on in pieces that
overlap by so much, and gives the same to the bit: the products of coarse pictures are whole numbers, held exactly.
"""

from dataclasses import dataclass

import numpy as np

from .gradual import LENGTHS, ROUNDS, gradual_transitions
from .hard import AROUND, hard_cuts
from .pictures import changes_of, tiny_picture
from .slides import RUN_FRAMES, slides

MAX_FPS = 30
"""Frames a second that gradual transitions are told from; of faster videos every second, third ... frame is taken."""

MARGIN = 2
"""Frames added on either side of a gradual transition, so that none of it is left in a shot."""

FADE_TAIL = 8
"""Another frame is added on either side of a fade for every so many of its frames: fades begin and end too softly to be seen."""


@dataclass(frozen=True)
class Transition:
    """From the last frame of one shot to the first of the next."""

    start: int
    """First frame that is no longer only the shot before; of a hard cut the first frame of the new shot."""
    end: int
    """First frame that is only the shot after; equal to `start` for a hard cut."""
    kind: str
    """`cut`, `dissolve`, `fade`, `wipe` or `slide`."""


CONTEXT_FRAMES = (2 * ROUNDS + 2) * max(LENGTHS) + RUN_FRAMES[1] + AROUND
"""Frames before and after a place that what is found there may depend on, times `stride_of(fps)`: the longest window, which others overlap,
which others overlap, as often as there are rounds."""

BLOCK = 2048
"""Frames that are looked at together, their context apart; 7 KB each."""


def stride_of(fps: float) -> int:
    """Every how many frames one is taken for gradual transitions."""
    return max(1, round(fps / MAX_FPS))


def find_transitions(pictures: np.ndarray, stride: int = 1) -> list[Transition]:
    """All transitions in order, before `tidy`; tiny pictures (N, 36, 64, 3) uint8, the first's number a multiple of `stride`."""
    changes = changes_of(pictures)
    thin = pictures[::stride]
    gradual = [(hit.start, hit.end, hit.kind) for hit in gradual_transitions(thin)]
    gradual += [
        (start, end, "slide")
        for start, end in slides(thin, changes_of(thin) if stride > 1 else changes)
        if all(min(end, other[1]) - max(start, other[0]) <= 2 for other in gradual)
    ]
    found = [_with_margin(*each, stride, len(pictures)) for each in gradual]
    found += [
        Transition(frame, frame, "cut")
        for frame in hard_cuts(pictures, changes)
        if not any(other.start <= frame <= other.end for other in found)
    ]
    return sorted(found, key=lambda each: (each.start, each.end))


def _with_margin(start: int, end: int, kind: str, stride: int, num_frames: int) -> Transition:
    """A transition between the thinned frames `start` and `end`, which still are only old and only new, in frames of the video."""
    margin = MARGIN + (end - start) // FADE_TAIL if kind == "fade" else MARGIN
    return Transition(max(0, (start - margin + 1) * stride), min(num_frames, (end + margin) * stride), kind)


def tidy(found: list[Transition]) -> list[Transition]:
    """The transitions of a whole video, none overlapping another: gradual ones of a kind that touch are one."""
    tidied: list[Transition] = []
    for each in sorted(found, key=lambda each: (each.start, each.end)):
        last = tidied[-1] if tidied else None
        if last and each.kind == last.kind != "cut" and each.start <= last.end:
            tidied[-1] = Transition(last.start, max(last.end, each.end), last.kind)
        elif last and each.start < last.end:
            tidied[-1] = Transition(last.start, each.start, last.kind)
            tidied.append(each)
        else:
            tidied.append(each)
    return tidied


class TransitionFinder:
    """Finds transitions in frames given one after another. Holds tiny pictures of a block of frames and its context."""

    def __init__(self, fps: float) -> None:
        self._stride = stride_of(fps)
        self._pictures: list[np.ndarray] = []
        self._first = 0
        """Number of the first picture that is held."""
        self._done = 0
        """Frames up to which transitions are known."""
        self._found: list[Transition] = []

    def add(self, image: np.ndarray) -> None:
        """The next frame, (H, W, 3) uint8 of any size."""
        self._pictures.append(tiny_picture(image))
        if self._first + len(self._pictures) >= self._done + (BLOCK + CONTEXT_FRAMES) * self._stride:
            self._look(self._done + BLOCK * self._stride)

    def transitions(self) -> list[Transition]:
        """All transitions in order, none overlapping another; call it once, after the last frame."""
        if self._pictures:
            self._look(self._first + len(self._pictures) + 1)
        return tidy(self._found)

    def _look(self, until: int) -> None:
        """Adds the transitions that start before frame `until`, and forgets what no later one needs."""
        for each in find_transitions(np.stack(self._pictures), self._stride):
            start = each.start + self._first
            if self._done <= start < until:
                self._found.append(Transition(start, each.end + self._first, each.kind))
        self._done = until
        spare = max(0, until - CONTEXT_FRAMES * self._stride - self._first)
        spare -= spare % self._stride
        del self._pictures[:spare]
        self._first += spare
