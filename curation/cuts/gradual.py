"""Dissolves, fades and wipes: windows whose inner frames are mixtures of the first and the last picture, or made of pieces of either.

All windows of all lengths are judged at once from the products of pictures that lie near each other in time; only the few that pass are
looked at pixel by pixel. Letters: N frames, K windows, L frames of a window.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .pictures import COARSE, FLAT, coarse_pictures, detail
from .wipes import MAX_WIPE_ERROR, is_wipe, may_be_wipe, pieces

LENGTHS = (6, 8, 10, 13, 16, 20, 25, 32, 40)
"""Lengths of the windows in which a gradual transition is looked for, in frames."""

MIN_DISTANCE = 9.0
"""Root mean square (0..255) between first and last picture of a gradual transition."""

BLACK = 8
"""Level (0..255) below which a place is black."""

MIN_SEEN = 0.4
"""Share of the picture that must not be black at either end: less is a title."""

MIN_CHANGED = 0.55
"""Share of that which a gradual transition must change: less is a thing that appears."""

MIN_SPREAD = 0.45
"""How evenly that change is spread, (sum |c|)^2 / (n sum c^2), where neither picture is flat: 0.57 and more; a thing that appears: 0.4."""

MAX_MIX_ERROR = 0.2
"""Error of the mixtures, in units of the distance between first and last picture. Real ones: 0.01 to 0.18; pans and motion: above 0.25."""

MAX_MOVING_MIX_ERROR = 0.5
"""The same where the shots move while they are mixed: detail must then be lost as only mixing loses it, and the change go on evenly."""

MOVING_DETAIL = (0.4, 0.7)
"""Least and most detail there: mixing unrelated pictures leaves a half and more, what leaves less is a blur."""

MAX_JUMP = 0.35
"""Largest change from one frame to the next among mixtures, in units of the distance between first and last picture: a hard cut is more."""

MAX_BEND = 0.18
"""Largest difference of the share of the new picture from an even growth, there."""

MAX_MOVING_LIKENESS = 0.45
"""`MAX_LIKENESS` there: a zoom leaves the middle of the picture as it is."""

MIN_MOVING_SPREAD = 0.6
"""`MIN_SPREAD` there."""

MAX_MOVING_DETOUR = 1.06
"""`MAX_DETOUR` there."""

MAX_DETAIL = 0.75
"""Detail of the mixtures, in units of what the outer pictures have. Mixing two pictures leaves 0.54 to 0.74; motion leaves all."""

MAX_FADE_DETAIL = 0.8
"""The same where one of the pictures is flat."""

MAX_LIKENESS = 0.8
"""Correlation of first and last picture above which they show the same."""

MIN_WIPE_ASIDE = 0.35
"""How far the inner pictures of a wipe lie aside of the mixtures; half way through a wipe it is 0.5."""

MAX_WIPE_BEND = 0.25
"""`MAX_BEND` of wipes."""

MAX_DETOUR = 1.4
"""Squared distances of an inner picture to the first and the last, over the squared distance of those: 1 on the way, 2 off it."""

ROUNDS = 2
"""How often the best of overlapping windows is taken and the others are dropped. Bounds how far a result depends on others."""


class Hit(NamedTuple):
    """A window in which a transition takes place."""

    start: int
    """Last frame of the old shot."""
    end: int
    """First frame of the new one."""
    error: float
    distance: float
    kind: str


@dataclass(frozen=True)
class _Film:
    """What the windows are judged from."""

    pictures: np.ndarray
    """(N, 36, 64, 3) uint8."""
    values: np.ndarray
    """Coarse pictures, (N, D) float32."""
    black: np.ndarray
    """Places that are black, (N, D / 3) bool: what is black at both ends of a window is taken for a bar and left out."""
    products: np.ndarray
    """Of each picture with those that follow, (N, longest window + 1) float64."""
    num_black: np.ndarray
    """Places that are black in both, of the same shape."""


def gradual_transitions(pictures: np.ndarray) -> list[Hit]:
    """Gradual transitions in order; pictures (N, 36, 64, 3) uint8 at no more than about 30 frames a second."""
    values = coarse_pictures(pictures).reshape(len(pictures), -1).astype(np.float32)
    black = np.maximum(np.maximum(values[:, 0::3], values[:, 1::3]), values[:, 2::3]) < BLACK
    values[np.repeat(black, 3, axis=1)] = 0
    longest = min(max(LENGTHS), len(pictures) - 1)
    products = nearby_products(values.astype(np.float64), longest)
    film = _Film(pictures, values, black, products, nearby_products(black.astype(np.float64), longest))
    windows = [window for length in LENGTHS if length <= longest for window in _windows(film, length)]
    details = _details(pictures, windows)
    hits = [hit for window in windows if (hit := _judge(film, window, details)) and hit.end - hit.start >= 4]
    return apart(hits)


def apart(hits: list[Hit]) -> list[Hit]:
    """The hits that no better one overlaps, in order; made in rounds, so that a hit depends on those within a few windows alone."""
    hits = sorted(set(hits), key=lambda hit: (hit.distance * (2 * hit.error - 1), *hit[:2]))
    start, end = (np.array([hit[i] for hit in hits]) for i in (0, 1))
    overlap = np.minimum(end[:, None], end) - np.maximum(start[:, None], start) > 2
    better = np.tril(overlap, -1)
    left, kept = np.ones(len(hits), bool), np.zeros(len(hits), bool)
    for _ in range(ROUNDS):
        best = left & ~(better & left).any(axis=1)
        kept |= best
        left &= ~(overlap & best).any(axis=1)
    return sorted(hits[i] for i in np.flatnonzero(kept))


def nearby_products(values: np.ndarray, reach: int, block: int = 64) -> np.ndarray:
    """Products of each picture with those up to `reach` later: (N, reach + 1), 0 beyond the end; values (N, D)."""
    number = len(values)
    products = np.zeros((number, reach + 1), values.dtype)
    padded = np.concatenate([values, np.zeros((reach, values.shape[1]), values.dtype)])
    for first in range(0, number, block):
        rows = min(block, number - first)
        square = values[first : first + rows] @ padded[first : first + rows + reach].T
        steps = square.strides[0] + square.strides[1], square.strides[1]
        products[first : first + rows] = np.lib.stride_tricks.as_strided(square, (rows, reach + 1), steps)
    return products


class _Window(NamedTuple):
    """A window that may hold a transition."""

    start: int
    share: np.ndarray
    """Share of the last picture in each, (L + 1,)."""
    error: float
    """Of the mixtures."""
    distance: float
    may_mix: bool
    """Whether its inner pictures may be mixtures; pieces otherwise."""

    @property
    def end(self) -> int:
        """Its last frame."""
        return self.start + len(self.share) - 1


def _windows(film: _Film, length: int) -> list[_Window]:
    """Windows of `length` frames whose outer pictures differ and whose inner ones lie between them."""
    own = film.products[:, 0]
    alike, distance, differ = _compare(film, length)
    starts = np.flatnonzero(differ)
    power = own[starts] + own[starts + length] - 2 * film.products[starts, length]
    steps = np.arange(1, length)[:, None]
    inner = starts + steps
    from_old = (own[inner] + own[starts] - 2 * film.products[starts, steps]) / power
    from_new = (own[inner] + own[starts + length] - 2 * film.products[inner, length - steps]) / power
    share = (from_old - from_new + 1) / 2
    error = np.sqrt((from_old - np.square(share)).max(axis=0, initial=0))
    share = np.concatenate([np.zeros_like(power)[None], share, np.ones_like(power)[None]])
    detour = (from_old + from_new).max(axis=0, initial=1)
    bend = np.abs(share - np.linspace(0, 1, length + 1)[:, None]).max(axis=0)
    following = starts + np.arange(length)[:, None]
    jump = np.sqrt((own[following] + own[following + 1] - 2 * film.products[following, 1]).max(axis=0) / power)
    is_mixture = (error < MAX_MIX_ERROR) | (
        (error < MAX_MOVING_MIX_ERROR)
        & (detour < MAX_MOVING_DETOUR)
        & (bend < MAX_BEND)
        & (alike[starts] < MAX_MOVING_LIKENESS)
    )
    is_mixture &= jump < MAX_JUMP
    rises = _rises(share)
    is_pieced = (error > MIN_WIPE_ASIDE) & (detour < MAX_DETOUR) & (bend < MAX_WIPE_BEND) & rises & ~is_mixture
    for quarter in (2, 1, 3):
        first = starts[is_pieced]
        pictures = (film.values[first + place] for place in (0, quarter * length // 4, length))
        is_pieced[is_pieced] = may_be_wipe(*pictures)
    found = np.flatnonzero((is_mixture & rises) | is_pieced)
    return [
        _Window(int(starts[k]), share[:, k], float(error[k]), float(distance[starts[k]]), bool(is_mixture[k]))
        for k in found
    ]


def _compare(film: _Film, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlation and distance of pictures `length` frames apart, and whether they show different things: (N - length,) each."""
    own, total = film.products[:, 0], film.values.sum(axis=1, dtype=np.float64)
    number = len(own) - length
    seen = film.black.shape[1] - film.num_black[:number, length]
    size = 3 * np.maximum(seen, 1)
    product = film.products[:number, length]
    means = total[:number] / size, total[length:] / size
    spreads = [np.sqrt((o / size - m**2).clip(0)) for o, m in zip((own[:number], own[length:]), means, strict=True)]
    distance = np.sqrt(((own[:number] + own[length:] - 2 * product) / size).clip(0))
    alike = (product / size - means[0] * means[1]) / (spreads[0] * spreads[1] + 3.0)
    is_flat = np.minimum(*spreads) < FLAT
    differ = (distance > MIN_DISTANCE) & ((alike < MAX_LIKENESS) | is_flat) & (seen > MIN_SEEN * film.black.shape[1])
    return alike, distance, differ


def _details(pictures: np.ndarray, windows: list[_Window]) -> np.ndarray:
    """Detail, down and across, of the pictures that lie in a window, 0 elsewhere: (N, 2)."""
    wanted = np.zeros(len(pictures), bool)
    for window in windows:
        wanted[window.start : window.end + 1] = True
    details = np.zeros((len(pictures), 2), np.float32)
    details[wanted] = detail(pictures[wanted])
    return details


def _judge(film: _Film, window: _Window, details: np.ndarray) -> Hit | None:
    """The transition in a window, told from all its pixels; None where there is none."""
    values = film.values[window.start : window.end + 1]
    seen = ~(film.black[window.start] & film.black[window.end])
    old, new = (values[i].reshape(-1, 3)[seen] for i in (0, -1))
    change = np.abs(new - old)
    is_flat = min(old.std(), new.std()) < FLAT
    is_moving = window.may_mix and window.error >= MAX_MIX_ERROR
    least = MIN_MOVING_SPREAD if is_moving else MIN_SPREAD
    if (change.max(axis=1) > 6).mean() <= MIN_CHANGED or (not is_flat and _spread(change) < least):
        return None
    if window.may_mix:
        inner = details[window.start : window.end + 1] @ _directions(seen)
        left = _detail_left(inner, window.share)
        low, high = MOVING_DETAIL if is_moving else (0.0, MAX_FADE_DETAIL if is_flat else MAX_DETAIL)
        if low <= left < high:
            return _hit(window, window.share, min(window.error, MAX_MIX_ERROR), "fade" if is_flat else "dissolve")
        return None
    share, errors = pieces(values[0], values, values[-1])
    if _rises(share[:, None])[0] and is_wipe(values[0], values[1:-1], values[-1], errors):
        return _hit(window, share, min(float(errors.max()), MAX_WIPE_ERROR), "wipe")
    return None


def _spread(change: np.ndarray) -> float:
    """1 where the change (places, 3) is the same everywhere, the share of the places where it is the same in some and none elsewhere."""
    change = change.sum(axis=1)
    return float(change.sum() ** 2 / (len(change) * np.square(change).sum()))


def _directions(seen: np.ndarray) -> np.ndarray:
    """Which detail counts, down and across: not that over the edges of bars; seen (D / 3,) bool."""
    places = seen.reshape(COARSE[1], COARSE[0])
    barred = [not (line[0].any() and line[-1].any()) for line in (places, places.T)]
    return np.array([1.0, 1.0]) if all(barred) else 1.0 - np.array(barred)


def _detail_left(inner: np.ndarray, share: np.ndarray) -> float:
    """Detail (L,) of the frames that are well mixed, over that of the outer pictures in the same shares."""
    outer = (1 - share) * inner[0] + share * inner[-1]
    weight = (share * (1 - share)).clip(0)
    return float((weight * inner).sum() / max((weight * outer).sum(), 1e-6))


def _rises(share: np.ndarray) -> np.ndarray:
    """Whether the share of the new picture (L, K) grows step by step, without a jump: (K,) bool."""
    steps = np.diff(share, axis=0)
    return (steps.max(axis=0) < 0.5) & (steps.min(axis=0) > -0.12)


def _hit(window: _Window, share: np.ndarray, error: float, kind: str) -> Hit:
    """The transition itself, without the still frames at the window's ends."""
    end = int(np.flatnonzero(share >= 0.96)[0])
    begin = int(np.flatnonzero(share[: end + 1] <= 0.04)[-1])
    return Hit(window.start + begin, window.start + end, error, window.distance, kind)
