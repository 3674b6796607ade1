"""Black borders of a picture: letterbox and pillarbox, found line by line from the outside.

Axes: H W rows and columns of the coded picture; a border is turned and scaled to the picture as displayed.
"""

import cv2
import numpy as np

from moviegen.media.display import Orientation

_NUM_SEGMENTS = 64
"""A row (column) is looked at as the means of 64 pieces: noise averages out, a specular dot stays visible."""

_BORDER_LUMA = 22
"""Highest mean luma (video range, black is 16) of a piece of a black border: our decision, room for compression noise."""

_DARK_FRACTION = 0.97
"""Share of its pieces that must be dark for a row to belong to a border: our decision, lets a dead pixel or a thin mark pass."""

_MIN_PICTURE = 0.25
"""Share of the pieces that the widest lit line must have: less is a light in the dark, not a picture between bars. Our decision."""

_EDGE_FRACTION = 0.5
"""Share of the widest lit line that must be lit just inside a border for it to be a straight edge: our decision."""


_SCAN_LINES = 32
"""Lines that are looked at together when scanning inwards: most pictures have no border and cost one line a side."""

_WIDEST_STEP = 8
"""Every so many lines are looked at to find the widest lit one."""


def border_box(luma: np.ndarray) -> tuple[float, float, float, float]:
    """(top, bottom, left, right) black rows and columns of a picture in pixels, 0 where there is none.

    A side is NaN where the picture does not tell: it is black altogether, or dark towards that side without a straight edge. The
    paper's detector is a first derivative with a scan-line search [S App B.1]; so is this: scan to the first lit line, ask for a step.
    """
    rows, columns = _Lines(luma, upright=False), _Lines(luma, upright=True)
    return rows.border(1), rows.border(-1), columns.border(1), columns.border(-1)


SIDES = ("top", "bottom", "left", "right")

MIN_TELLING = 0.1
"""Share of frames that must show a straight edge, or none, on a side: below it the side has no border. Our decision: a night scene
shows a false edge here and there."""


def typical_border(values: np.ndarray) -> float:
    """The border of one side that most telling frames agree on, from its column of the signals: subtitles in a bar, a flash or a
    dark moment do not move it."""
    telling = values[np.isfinite(values)]
    return float(np.median(telling)) if len(telling) >= MIN_TELLING * len(values) and len(telling) else 0.0


class _Lines:
    """The rows (or, `upright`, the columns) of a picture as shares of lit pieces, computed where they are asked for."""

    def __init__(self, luma: np.ndarray, upright: bool) -> None:
        # OpenCV averages whole numbers of pixels six times as fast: what does not divide into whole pieces is left out at the end
        height, width = luma.shape
        self._luma = luma[: _whole(height)] if upright else luma[:, : _whole(width)]
        self._upright = upright
        self._number = width if upright else height

    def lit(self, lines: slice) -> np.ndarray:
        """Share of lit pieces of each of some lines."""
        return np.count_nonzero(self._pieces(lines) > _BORDER_LUMA, axis=1) / _NUM_SEGMENTS

    def _pieces(self, lines: slice) -> np.ndarray:
        """(lines, 64): means of the pieces of each of some lines."""
        if not self._upright:
            part = self._luma[lines]
            return cv2.resize(part, (_NUM_SEGMENTS, part.shape[0]), interpolation=cv2.INTER_AREA)
        part = np.ascontiguousarray(self._luma[:, lines])
        return cv2.resize(part, (part.shape[1], _NUM_SEGMENTS), interpolation=cv2.INTER_AREA).T

    def border(self, step: int) -> float:
        """Dark lines before the first lit one, from the start (`step` 1) or the end (-1)."""
        if self._is_lit(0 if step > 0 else self._number - 1):
            return 0.0
        first = self._first_lit(step)
        if first is None:
            return float("nan")
        inside = self._outer(first, max(3, self._number // 100), step)
        widest = max(inside.max(), self.lit(slice(None, None, _WIDEST_STEP)).max())
        is_straight = widest >= _MIN_PICTURE and inside.max() >= _EDGE_FRACTION * widest
        return float(first) if is_straight else float("nan")

    def _first_lit(self, step: int) -> int | None:
        for start in range(0, self._number, _SCAN_LINES):
            found = np.flatnonzero(self._outer(start, _SCAN_LINES, step) > 1 - _DARK_FRACTION)
            if len(found):
                return start + int(found[0])
        return None

    def _is_lit(self, line: int) -> bool:
        """Is this line lit? The quick question: most pictures have no border."""
        return (
            np.count_nonzero(self._pieces(slice(line, line + 1)) > _BORDER_LUMA) > (1 - _DARK_FRACTION) * _NUM_SEGMENTS
        )

    def _outer(self, start: int, number: int, step: int) -> np.ndarray:
        """Shares of `number` lines from the `start`-th on, counted from the side where `step` begins."""
        end = min(start + number, self._number)
        if step > 0:
            return self.lit(slice(start, end))
        return self.lit(slice(self._number - end, self._number - start))[::-1]


def _whole(length: int) -> int:
    return length - length % _NUM_SEGMENTS or length


def displayed_border(
    box: tuple[float, float, float, float], orientation: Orientation, sample_aspect: float
) -> tuple[float, float, float, float]:
    """The box (top, bottom, left, right) of the coded picture as the viewer sees it: widths scaled, turned, mirrored."""
    top, bottom, left, right = box[0], box[1], box[2] * sample_aspect, box[3] * sample_aspect
    if orientation.transpose:
        top, bottom, left, right = left, right, top, bottom
    if orientation.flip_x:
        left, right = right, left
    if orientation.flip_y:
        top, bottom = bottom, top
    return top, bottom, left, right
