"""Where one picture gives way to another, told from tiny pictures: hard cuts, and dissolves, fades and wipes with their extent.

A hard cut is a change far above its neighbours', that no small movement of the picture explains and that lasts (a flash does not). In a
gradual transition the frames between a first and a last picture are mixtures of the two (dissolves, fades, dips), or made of pieces of
either (wipes). Nothing is learned; the thresholds were set on real media with ground truth and are our decision.

Letters: N frames, H W rows and columns of a tiny picture, K windows.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

SIDE = (64, 36)
"""Width and height of the pictures that hard cuts are told from, whatever the frame's aspect."""

COARSE = (16, 9)
"""Width and height of those for gradual transitions: movement inside the shots hardly shows in them."""

AROUND = 6
"""Frames on either side of a hard cut that are looked at."""

LENGTHS = (6, 9, 12, 18, 24, 36)
"""Lengths of the windows in which a gradual transition is looked for, in frames of at most `MAX_FPS`."""

MAX_FPS = 30
"""Frames a second that gradual transitions are told from; of faster videos every second, third ... frame is taken."""

MIN_CHANGE = 5.0
"""Mean change (0..255) below which nothing is a hard cut."""

MIN_UNEXPLAINED = 6.5
"""Mean change that must be left when every piece of the picture may have moved by three pixels; less in pictures of low contrast."""

MIN_PEAK = 2.0
"""A hard cut's change over that of the frames beside it, and over the usual one of the frames around."""

MAX_LIKENESS = 0.82
"""Correlation of two pictures above which they show the same."""

MIN_LASTING = 0.55
"""A hard cut's least change between any frame before and any after, in units of the change at the cut: what comes back is a flash."""

MIN_DISTANCE = 9.0
"""Root mean square (0..255) between first and last picture of a gradual transition."""

MIN_CHANGED = 0.55
"""Share of the picture that a gradual transition must change: less is a thing that appears."""

MAX_MIX_ERROR = 0.2
"""Error of the mixtures, in units of the distance between first and last picture. Real ones: 0.01 to 0.18; pans and motion: above 0.25."""

MAX_WIPE_ERROR = 0.13
"""The same for pieces of either picture. Wipes: 0.08; pans and motion: above 0.18."""

MAX_DETAIL = 0.8
"""Detail of the mixtures, in units of what the outer pictures have. Mixing two pictures leaves about half; panning and motion leave all."""

MARGIN = 2
"""Frames added on either side of a gradual transition, so that none of it is left in a shot."""

FLAT = 5.0
"""Standard deviation (0..255) of a picture that shows nothing."""


@dataclass(frozen=True)
class Transition:
    """From the last frame of one shot to the first of the next."""

    start: int
    """First frame that is no longer only the shot before; of a hard cut the first frame of the new shot."""
    end: int
    """First frame that is only the shot after; equal to `start` for a hard cut."""
    kind: str
    """`cut`, `dissolve`, `fade` or `wipe`."""


class TransitionFinder:
    """Finds transitions in frames given one after another. Holds a few small pictures and 432 bytes a frame."""

    def __init__(self, fps: float) -> None:
        self._stride = max(1, round(fps / MAX_FPS))
        self._recent: deque[np.ndarray] = deque(maxlen=2 * AROUND + 1)
        self._changes: list[float] = []
        self._coarse: list[np.ndarray] = []
        self._detail: list[float] = []
        self._cuts: list[int] = []

    def add(self, image: np.ndarray) -> None:
        """The next frame, (H, W, 3) uint8 of any size."""
        picture = cv2.resize(image, SIDE, interpolation=cv2.INTER_AREA)
        if len(self._changes) % self._stride == 0:
            self._coarse.append(cv2.resize(picture, COARSE, interpolation=cv2.INTER_AREA))
            self._detail.append(detail(picture))
        before = self._recent[-1] if self._recent else picture
        self._recent.append(picture)
        self._changes.append(cv2.norm(picture, before, cv2.NORM_L1) / picture.size)
        self._look_at(len(self._changes) - 1 - AROUND)

    def _look_at(self, frame: int) -> None:
        """Notes a hard cut at `frame`, which lies in `_recent`."""
        if frame > 0 and self._is_cut(frame):
            self._cuts.append(frame)

    def _is_cut(self, frame: int) -> bool:
        changes, change = self._changes, self._changes[frame]
        beside = [changes[i] for i in (frame - 1, frame + 1) if 0 < i < len(changes)]
        before, after = changes[max(1, frame - AROUND) : frame], changes[frame + 1 : frame + 1 + AROUND]
        usual = max(float(np.median(side)) if side else 0.0 for side in (before, after))
        if change < MIN_CHANGE or change < MIN_PEAK * max([*beside, usual]):
            return False
        first = len(changes) - len(self._recent)
        pictures = np.stack(self._recent).astype(np.float32)
        place = frame - first
        old, new = pictures[place - 1], pictures[place]
        if likeness(old, new) > MAX_LIKENESS:
            return False
        if unexplained_change(old, new) < MIN_UNEXPLAINED * contrast(old, new):
            return False
        apart = np.abs(pictures[max(0, place - AROUND) : place, None] - pictures[None, place : place + AROUND])
        return float(apart.mean(axis=(2, 3, 4)).min()) >= MIN_LASTING * change

    def transitions(self) -> list[Transition]:
        """All transitions in order, none overlapping another; call it once, after the last frame."""
        for frame in range(max(1, len(self._changes) - AROUND), len(self._changes)):
            self._look_at(frame)
        gradual = find_gradual(np.stack(self._coarse), np.array(self._detail)) if self._coarse else []
        stride, total = self._stride, len(self._changes)
        found = [
            Transition(max(0, (start - MARGIN + 1) * stride), min(total, (end + MARGIN) * stride), kind)
            for start, end, kind in gradual
        ]
        found += [
            Transition(frame, frame, "cut")
            for frame in self._cuts
            if not any(other.start <= frame <= other.end for other in found)
        ]
        return _apart(sorted(found, key=lambda each: each.start))


def _apart(found: list[Transition]) -> list[Transition]:
    """The transitions, the end of each cut back to the start of the next."""
    nexts = [each.start for each in found[1:]] + [each.end for each in found[-1:]]
    return [
        Transition(each.start, max(each.start, min(each.end, limit)), each.kind)
        for each, limit in zip(found, nexts, strict=True)
    ]


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two pictures (H, W, 3), brightness apart; near 0 where both show nothing."""
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).mean() / (a.std() * b.std() + 4.0))


def contrast(a: np.ndarray, b: np.ndarray) -> float:
    """How much there is to see in two pictures, 0.25..1: the less, the less a cut changes."""
    return float(np.clip(max(a.std(), b.std()) / 25, 0.25, 1))


def unexplained_change(old: np.ndarray, new: np.ndarray, reach: int = 3) -> float:
    """Mean change (0..255) between two pictures (H, W, 3) float32 when each piece of 5x5 may have moved by `reach` pixels."""
    height, width = new.shape[:2]
    padded = cv2.copyMakeBorder(old, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    best = np.full((height, width), np.inf, np.float32)
    for row in range(2 * reach + 1):
        for column in range(2 * reach + 1):
            moved = padded[row : row + height, column : column + width]
            np.minimum(best, cv2.blur(np.abs(moved - new).mean(axis=2), (5, 5)), out=best)
    return float(best.mean())


def detail(picture: np.ndarray) -> float:
    """Energy of a picture's fine structure: mean square of the difference of neighbouring pixels (H, W, 3)."""
    values = picture.astype(np.float32)
    return float(np.square(np.diff(values, axis=0)).mean() + np.square(np.diff(values, axis=1)).mean())


class _Hit(NamedTuple):
    start: int
    end: int
    error: float
    distance: float
    kind: str


def find_gradual(pictures: np.ndarray, details: np.ndarray) -> list[tuple[int, int, str]]:
    """(last frame of the old shot, first frame of the new one, kind) of each gradual transition; pictures (N, 9, 16, 3) uint8,
    `details` (N,) of the larger pictures."""
    values = pictures.reshape(len(pictures), -1).astype(np.float32)
    hits = [hit for length in LENGTHS for hit in _windows(values, details, length)]
    kept: list[_Hit] = []
    for hit in sorted(hits, key=lambda hit: hit.distance * (2 * hit.error - 1)):
        if all(min(hit.end, other.end) - max(hit.start, other.start) <= 2 for other in kept):
            kept.append(hit)
    return sorted((hit.start, hit.end, hit.kind) for hit in kept)


BLOCK = 4096
"""Windows that are looked at together, to bound memory."""


def _windows(values: np.ndarray, details: np.ndarray, length: int) -> list[_Hit]:
    """Windows of `length` frames in which a transition takes place."""
    hits: list[_Hit] = []
    for first in range(0, len(values) - length, BLOCK):
        starts = np.arange(first, min(first + BLOCK, len(values) - length))
        starts = starts[_differ(values[starts], values[starts + length])]
        if len(starts):
            hits += _judge(values, details, starts, length)
    return hits


def _differ(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Which of K pairs of pictures (K, block) show different things all over: (K,) bool."""
    change = b - a
    distance = np.sqrt(np.square(change).mean(axis=1))
    changed = (np.abs(change).reshape(len(a), -1, 3).max(axis=2) > 6).mean(axis=1)
    spread_a, spread_b = a.std(axis=1), b.std(axis=1)
    centred = (a - a.mean(axis=1, keepdims=True)) * (b - b.mean(axis=1, keepdims=True))
    alike = centred.mean(axis=1) / (spread_a * spread_b + 3.0) >= 0.8
    return (distance > MIN_DISTANCE) & (changed > MIN_CHANGED) & (~alike | (np.minimum(spread_a, spread_b) < FLAT))


def _judge(values: np.ndarray, details: np.ndarray, starts: np.ndarray, length: int) -> list[_Hit]:
    """The windows whose inner frames are mixtures of the outer ones, or pieces of them, more and more of the new one."""
    old, change = values[starts], values[starts + length] - values[starts]
    power = np.square(change).mean(axis=1)
    weights = np.abs(change).reshape(len(starts), -1, 3).mean(axis=2)
    mixed, pieced = np.zeros((length + 1, len(starts)), np.float32), np.zeros((length + 1, len(starts)), np.float32)
    mix_error, wipe_error = np.zeros(len(starts), np.float32), np.zeros(len(starts), np.float32)
    for step in range(1, length):
        moved = values[starts + step] - old
        mixed[step] = (moved * change).mean(axis=1) / power
        mix_error = np.maximum(mix_error, np.square(moved - mixed[step][:, None] * change).mean(axis=1))
        from_old = np.abs(moved).reshape(len(starts), -1, 3).mean(axis=2)
        from_new = np.abs(moved - change).reshape(len(starts), -1, 3).mean(axis=2)
        pieced[step] = ((from_new < from_old) * weights).sum(axis=1) / weights.sum(axis=1)
        wipe_error = np.maximum(wipe_error, np.minimum(from_old, from_new).sum(axis=1) / weights.sum(axis=1))
    mixed[length] = pieced[length] = 1
    mix_error, distance = np.sqrt(mix_error / power), np.sqrt(power)
    hits = []
    is_mixture = _detail_left(details, starts, mixed) < MAX_DETAIL
    for k in np.flatnonzero((mix_error < MAX_MIX_ERROR) & _rises(mixed) & is_mixture):
        flat = min(old[k].std(), (old[k] + change[k]).std()) < FLAT
        hits.append(_hit(int(starts[k]), mixed[:, k], mix_error[k], distance[k], "fade" if flat else "dissolve"))
    for k in np.flatnonzero((wipe_error < MAX_WIPE_ERROR) & _rises(pieced) & (mix_error > 0.3)):
        hits.append(_hit(int(starts[k]), pieced[:, k], wipe_error[k], distance[k], "wipe"))
    return [hit for hit in hits if hit.end - hit.start >= 4]


def _detail_left(details: np.ndarray, starts: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Detail of the frames that are well mixed, over that of the outer pictures in the same shares: (K,)."""
    length = len(share) - 1
    inner = details[starts[None, :] + np.arange(length + 1)[:, None]]
    outer = (1 - share) * inner[:1] + share * inner[-1:]
    weight = (share * (1 - share)).clip(0)
    return (weight * inner).sum(axis=0) / np.maximum((weight * outer).sum(axis=0), 1e-6)


def _rises(share: np.ndarray) -> np.ndarray:
    """Whether the share of the new picture (length + 1, K) grows step by step, without a jump: (K,) bool."""
    steps = np.diff(share, axis=0)
    return (steps.max(axis=0) < 0.5) & (steps.min(axis=0) > -0.12)


def _hit(start: int, share: np.ndarray, error: float, distance: float, kind: str) -> _Hit:
    """The transition itself, without the still frames at the window's ends."""
    end = int(np.flatnonzero(share >= 0.96)[0])
    begin = int(np.flatnonzero(share[: end + 1] <= 0.04)[-1])
    return _Hit(start + begin, start + end, float(error), float(distance), kind)
