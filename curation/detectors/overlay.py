"""Text laid over the picture against text in the scene, told from the frames alone. The rule is our decision.

A text's place is compared between the frame it was read in and every other frame looked at:

- **held**: its strokes are still there while most of the picture has moved, on all sides of it too: overlay;
- **came or went**: its strokes are not there while the picture above and below it is the same: overlay;
- **moved**: its strokes are found at another place nearby: scene.

The more frequent answer wins. Without one, as for a sign that a still camera sees throughout, an upright text in the top or bottom
quarter is overlay (captions, logos), any other is scene. Titles that travel, such as rolling credits, count as scene; what comes up
on a screen within the scene counts as overlay.

Axes: H W rows and columns. A place is (left, top, right, bottom) in px.
"""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

Corners = tuple[tuple[float, float], ...]
"""A text's quadrangle: four (x, y) in px, from its upper left, clockwise."""

_SAME_STROKES = 0.85
"""Correlation of strokes from which a text is there: subtitles over moving faces have 0.88 and more, moving letters less than 0.6."""

_OTHER_STROKES = 0.6
"""Correlation of strokes below which they are gone."""

_FOUND_STROKES = 0.75
"""Correlation from which strokes are found elsewhere; also 0.1 more than at their own place, with at least half their contrast."""

_STILL_LEVELS, _MOVED_LEVELS = 3.0, 7.0
"""Median luma change of a strip beside the text: at most the first is coding noise, from the second on the picture has changed."""

_GONE_LEVELS = 8.0
"""Mean luma change that a text's coming or going makes at its place at least."""

_TILE_PX, _STRUCTURE_LEVELS, _OTHER_PICTURE = 32, 3.0, 0.5
"""Tiles whose structure has so many levels of deviation tell whether the picture moved: it did below that median correlation."""

_REACH = 0.2
"""Strokes are looked for so far around their place, as a share of the longer side."""

_EDGE_ZONE = 0.25
"""Share of the height, at the top and at the bottom, where captions and logos stand."""

_MAX_TILT = 0.2
"""An upright text's upper edge rises by at most this share of its height, or 5% of its width: boxes are a pixel or two off."""


def split_overlay(texts: Sequence[Sequence[Corners]], images: Sequence[np.ndarray]) -> list[list[bool]]:
    """For each text of each frame: is it laid over the picture? `images` are (H, W, 3) uint8 RGB of one size."""
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    luma = [cv2.GaussianBlur(grey, (0, 0), 0.7).astype(np.float32) for grey in greys]
    return [[_is_overlay(corners, frame, texts, luma) for corners in found] for frame, found in enumerate(texts)]


def _is_overlay(corners: Corners, frame: int, texts: Sequence[Sequence[Corners]], luma: list[np.ndarray]) -> bool:
    votes = 0
    for other in range(len(luma)):
        if other != frame:
            neighbours = [c for c in (*texts[frame], *texts[other]) if not _is_same_place(c, corners)]
            answer = compare_place(corners, neighbours, luma[frame], luma[other])
            votes += {"held": 1, "came": 1, "moved": -1, None: 0}[answer]
    return votes > 0 or (votes == 0 and _is_caption_place(corners, luma[frame].shape[0]))


def compare_place(
    corners: Corners, neighbours: Sequence[Corners], here: np.ndarray, there: np.ndarray
) -> Literal["held", "came", "moved"] | None:
    """What became of a text of frame `here` in frame `there`, (H, W) float luma each; None where nothing can be told.

    `neighbours` are the other texts of both frames: they are not the picture around it.
    """
    left, top, right, bottom = place = place_of(corners, here.shape)
    height = bottom - top
    strokes, strokes_there = _strokes(here, height), _strokes(there, height)
    pattern = strokes[top:bottom, left:right]
    same = _correlation(pattern, strokes_there[top:bottom, left:right])
    change = np.abs(here - there)
    above_below, beside = _changes_around(place, neighbours, change)
    around = above_below + beside
    is_still = bool(above_below) and max(above_below) <= _STILL_LEVELS
    shift = _find(pattern, place, strokes_there, same)
    if shift is not None and (not is_still or shift >= height / 2):
        return "moved"
    if is_still and same < _OTHER_STROKES and change[top:bottom, left:right].mean() >= _GONE_LEVELS:
        return "came"
    has_changed = len(around) >= 3 and min(around) > _STILL_LEVELS and np.median(around) >= _MOVED_LEVELS
    if same >= _SAME_STROKES and has_changed and has_moved(here, there):
        return "held"
    return None


def has_moved(here: np.ndarray, there: np.ndarray) -> bool:
    """Is most of the picture's structure at another place? False where there is none. Changing light and shadows do not move it.

    Looked at are tiles of the two (H, W) luma planes with their means over 9 px taken off.
    """
    fine = [_tiles(_strokes(luma, 18)) for luma in (here, there)]
    one, other = (tiles - tiles.mean(axis=1, keepdims=True) for tiles in fine)
    structured = one.std(axis=1) >= _STRUCTURE_LEVELS
    if not structured.any():
        return False
    one, other = one[structured], other[structured]
    norms = np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
    return bool(np.median((one * other).sum(axis=1) / np.maximum(norms, 1e-6)) < _OTHER_PICTURE)


def _tiles(plane: np.ndarray) -> np.ndarray:
    """(tiles, pixels of a tile): whole tiles only."""
    rows, columns = (side // _TILE_PX for side in plane.shape)
    tiles = plane[: rows * _TILE_PX, : columns * _TILE_PX].reshape(rows, _TILE_PX, columns, _TILE_PX)
    return tiles.swapaxes(1, 2).reshape(rows * columns, -1)


def place_of(corners: Corners, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """The upright rectangle around a quadrangle, inside a picture of `shape` (H, W), at least 1 px."""
    x, y = zip(*corners, strict=True)
    left, top = (int(np.clip(min(v), 0, limit - 1)) for v, limit in ((x, shape[1]), (y, shape[0])))
    right, bottom = (int(np.clip(np.ceil(max(v)), 1, limit)) for v, limit in ((x, shape[1]), (y, shape[0])))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _strokes(luma: np.ndarray, height: int) -> np.ndarray:
    """Luma less its mean over half the letters' height: strokes stay, the picture behind thin letters fades."""
    side = max(3, height // 2 | 1)
    return luma - cv2.blur(luma, (side, side))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    norm = np.sqrt((one * one).sum() * (other * other).sum())
    return float((one * other).sum() / norm) if norm > 1e-6 else 0.0


def _changes_around(
    place: tuple[int, int, int, int], neighbours: Sequence[Corners], change: np.ndarray
) -> tuple[list[float], list[float]]:
    """Median changes of the strips (above and below, before and after) a text, without those out of the picture or all text.

    Strip by strip: a hand that passes on one side of a sign is no moving picture around it.
    """
    left, top, right, bottom = place
    width = max(4, (bottom - top) // 2)
    free = np.ones(change.shape, np.uint8)
    for corners in neighbours:
        cv2.fillPoly(free, [np.int32(corners)], 0)
    strips = (
        (slice(max(0, top - width), top), slice(left, right)),
        (slice(bottom, bottom + width), slice(left, right)),
        (slice(top, bottom), slice(max(0, left - width), left)),
        (slice(top, bottom), slice(right, right + width)),
    )
    values = [change[strip][free[strip] > 0] for strip in strips]
    medians = [[float(np.median(strip)) for strip in pair if len(strip) >= 10] for pair in (values[:2], values[2:])]
    return medians[0], medians[1]


def _find(pattern: np.ndarray, place: tuple[int, int, int, int], strokes: np.ndarray, same: float) -> float | None:
    """How far off, in px, the strokes are found in the other frame; None where they are not, or at most 2 px off."""
    left, top, right, bottom = place
    reach = int(_REACH * max(strokes.shape))
    x0, y0 = max(0, left - reach), max(0, top - reach)
    match = cv2.matchTemplate(strokes[y0 : bottom + reach, x0 : right + reach], pattern, cv2.TM_CCOEFF_NORMED)
    _, best, _, (x, y) = cv2.minMaxLoc(match)
    shift = max(abs(x0 + x - left), abs(y0 + y - top))
    found = strokes[y0 + y : y0 + y + bottom - top, x0 + x : x0 + x + right - left]
    if best < max(_FOUND_STROKES, same + 0.1) or shift < 3 or found.std() < pattern.std() / 2:
        return None
    return float(shift)


def _is_same_place(one: Corners, other: Corners) -> bool:
    """Do the middles lie within a third of the text's height?"""
    height = np.ptp([y for _, y in other])
    return bool(np.abs(np.mean(one, axis=0) - np.mean(other, axis=0)).max() <= 3 + height / 3)


def _is_caption_place(corners: Corners, picture_height: int) -> bool:
    (x0, y0), (x1, y1) = corners[0], corners[1]
    rows = [y for _, y in corners]
    upright = abs(y1 - y0) <= max(_MAX_TILT * np.ptp(rows), 0.05 * abs(x1 - x0))
    return upright and (max(rows) <= _EDGE_ZONE * picture_height or min(rows) >= (1 - _EDGE_ZONE) * picture_height)
