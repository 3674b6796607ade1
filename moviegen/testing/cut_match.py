"""How well found cuts agree with the true ones: one-to-one matching as TRECVID and PySceneDetect's benchmark do it.

A hard cut counts when something is found within `TOLERANCE` frames of it, a gradual transition when what is found overlaps its extent,
widened by `TOLERANCE` on either side. Detectors that give a frame and no extent are matched by that frame. What is found over more
than `LONGEST_CUT` frames is no hard cut. A fade out and in is one event: a second find inside one that is found already is its other
half, neither right nor false; anywhere else a second find is false.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .hard_cuts import TrueTransition

TOLERANCE = 2
"""Frames."""

LONGEST_CUT = 8
"""Frames: a find of this length still names one place (TRECVID: five frames; ours adds a margin of two on either side of what it finds)."""


@dataclass(frozen=True)
class Match:
    """Counts of one video, or of several added."""

    right: int = 0
    false: int = 0
    missed: int = 0

    def __add__(self, other: "Match") -> "Match":
        return Match(self.right + other.right, self.false + other.false, self.missed + other.missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 where there is nothing to find and nothing was found."""
        return 2 * self.right / max(1, 2 * self.right + self.false + self.missed) if self != Match() else 1.0


def match_transitions(
    found: Sequence[tuple[int, int]], true: Sequence[TrueTransition]
) -> tuple[Match, list[tuple[int, int]], list[TrueTransition]]:
    """Counts, what is false, what is missed; `found` are (start, end), start == end of what has no extent."""
    left, taken, false = list(true), [], []
    for start, end in sorted(found, key=lambda each: (each[1] - each[0], each)):
        fitting = [each for each in left if _fits(start, end, each)]
        if fitting:
            nearest = min(fitting, key=lambda each: abs(each.start + each.end - start - end))
            left.remove(nearest)
            taken.append(nearest)
        elif not any(each.kind == "fade" and _fits(start, end, each) for each in taken):
            false.append((start, end))
    return Match(len(taken), len(false), len(left)), sorted(false), left


def _fits(start: int, end: int, true: TrueTransition) -> bool:
    if true.start == true.end and end - start > LONGEST_CUT:
        return False
    return start <= true.end + TOLERANCE and end >= true.start - TOLERANCE
