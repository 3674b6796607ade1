"""How the picture moves: dense optical flow on a grid, and the camera's path through it.

Flow is OpenCV's DIS on small luma, so it needs nothing of the codec. The camera is the similarity (shift, zoom, roll) that most of the
grid follows, found by iteratively reweighted least squares over all frames at once; what it leaves is the motion of things. All lengths
are in shares of the picture's diagonal a second, so that size and frame rate do not matter. Our decision; the paper has no such score.

Letters: N frames, P places of the grid.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from curation.signals.depth import depth_columns

MAX_HZ = 15.0
"""Pairs of neighbouring frames that are looked at, a second: of faster videos every second, third ... pair."""

GRID = (16, 9)
"""Places along the longer and the shorter side of the picture."""

_TEXTURE = 8.0
"""Gradient (8-bit levels a pixel) at which a place counts half: flow is not seen where there is nothing to see."""

_ROUNDS = 4
_LEAST_SCALE = 0.1
"""Pixels of the small picture: residuals below this are noise of the flow itself."""

FLOW_COLUMNS = (
    "flow", "flow_residual", "camera_x", "camera_y", "camera_zoom", "camera_roll", "camera_inliers",
    "camera_parallax", "camera_centre", "camera_opposite",
)  # fmt: skip
"""The columns of the `signals` table that are made here."""


@dataclass(frozen=True)
class GridFlow:
    """Flow of one pair of frames at the places of the grid."""

    vectors: np.ndarray
    """(P, 2) float32, x and y, in shares of the diagonal."""
    weights: np.ndarray
    """(P,) float32, 0..1: how well motion can be seen there."""


class FlowMeter:
    """Optical flow of frames given one after another; which pairs are looked at depends on the first one's number alone."""

    def __init__(self, fps: float, start_frame: int = 0) -> None:
        self._stride = max(1, round(fps / MAX_HZ))
        self._dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._dis.setFinestScale(1)
        self._before: np.ndarray | None = None
        self._number = start_frame
        self.places: np.ndarray | None = None

    def add(self, luma: np.ndarray) -> GridFlow | None:
        """The flow from the frame before to this small luma (H, W); None where it is not looked at."""
        number, before = self._number, self._before
        self._number += 1
        self._before = luma if number % self._stride in (0, self._stride - 1) or self._stride == 1 else None
        if number % self._stride or before is None or before.shape != luma.shape or min(luma.shape) < 16:
            return None
        flow = self._dis.calc(np.ascontiguousarray(before), np.ascontiguousarray(luma), None)
        rows, columns = grid_of(luma.shape)
        self.places = places_of(luma.shape)
        diagonal = np.float32(np.hypot(*luma.shape))
        return GridFlow(flow[rows[:, None], columns].reshape(-1, 2) / diagonal, texture(luma, rows, columns))


@lru_cache(maxsize=8)
def grid_of(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the grid's places in a picture (H, W)."""
    across, along = GRID if shape[1] >= shape[0] else GRID[::-1]
    return _centres(shape[0], along), _centres(shape[1], across)


def _centres(length: int, number: int) -> np.ndarray:
    return ((np.arange(number) + 0.5) * length / number).astype(np.intp)


@lru_cache(maxsize=8)
def places_of(shape: tuple[int, int]) -> np.ndarray:
    """(P, 2) float32: x and y of the grid's places from the picture's centre, in shares of the diagonal."""
    rows, columns = grid_of(shape)
    x, y = np.meshgrid(columns - (shape[1] - 1) / 2, rows - (shape[0] - 1) / 2)
    return (np.stack([x, y], -1).reshape(-1, 2) / np.hypot(*shape)).astype(np.float32)


def texture(luma: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(P,) float32, 0..1: how much there is to see around each place of the grid."""
    size = (len(columns) * 4, len(rows) * 4)
    gradient = cv2.morphologyEx(luma, cv2.MORPH_GRADIENT, _CROSS)
    around = cv2.resize(
        cv2.resize(gradient, size, interpolation=cv2.INTER_AREA),
        (len(columns), len(rows)),
        interpolation=cv2.INTER_AREA,
    )
    strength = around.astype(np.float32).reshape(-1)
    return strength**2 / (strength**2 + _TEXTURE**2)


_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclass(frozen=True)
class CameraPath:
    """The camera between frames, one value a pair: (N,) each, in shares of the diagonal or as said, not yet a second."""

    x: np.ndarray
    """Shift of the picture to the right at its centre."""
    y: np.ndarray
    """Shift downwards."""
    zoom: np.ndarray
    """Growth: 0.01 is a picture one hundredth larger."""
    roll: np.ndarray
    """Turn clockwise, radians."""
    inliers: np.ndarray
    """Share of what can be seen that follows, 0..1."""
    parallax: np.ndarray
    """How far speeds along the camera's own direction are spread, more than those across it, in units of the camera's: about 0 for a
    camera that only turns, more for one that is carried past near and far things. NaN where the camera stands or little is seen."""
    centre: np.ndarray
    """Speed of the slowest quarter of the picture's middle in units of the camera's: 1 moves with the rest, 0 stands still in the picture
    as a thing does that the camera follows. NaN as before."""
    opposite: np.ndarray
    """Share of what can be seen that moves against the camera's direction. NaN as before."""
    residual: np.ndarray
    """(N, P) length of what is left at each place."""


def fit_camera(places: np.ndarray, vectors: np.ndarray, weights: np.ndarray, scale: float) -> CameraPath:
    """The similarity that most of each pair's flow follows. `places` (P, 2), `vectors` (N, P, 2), `weights` (N, P).

    `scale` is the length that counts as noise.
    """
    start = np.median(vectors, axis=1, keepdims=True)
    left = _length(vectors - start)
    for _ in range(_ROUNDS):
        spread = np.maximum(1.5 * np.median(left, axis=1, keepdims=True), scale)
        trusted = weights / (1 + np.square(left / spread)) ** 2 + 1e-9
        shift, zoom, roll = _similarity(places, vectors, trusted)
        camera = _moved(places, shift, zoom, roll)
        left = _length(vectors - camera)
    follows = left <= np.maximum(3 * scale, 0.15 * _length(vectors))
    inliers = (follows * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
    depth = depth_columns(places, vectors, weights, camera, scale / 2)
    return CameraPath(shift[:, 0], shift[:, 1], zoom, roll, inliers, *depth, left)


def _similarity(
    places: np.ndarray, vectors: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted least squares of shift (N, 2) at the picture's centre, zoom (N,) and roll (N,)."""
    share = weights / weights.sum(axis=1, keepdims=True)
    (x, y), (u, v) = places.T, np.moveaxis(vectors, 2, 0)
    middle_x, middle_y, mean_u, mean_v = ((share * each).sum(axis=1) for each in (x, y, u, v))
    x, y, u, v = x - middle_x[:, None], y - middle_y[:, None], u - mean_u[:, None], v - mean_v[:, None]
    power = np.maximum((share * (x * x + y * y)).sum(axis=1), 1e-9)
    zoom = (share * (x * u + y * v)).sum(axis=1) / power
    roll = (share * (x * v - y * u)).sum(axis=1) / power
    shift_x = mean_u - zoom * middle_x + roll * middle_y
    return np.stack([shift_x, mean_v - zoom * middle_y - roll * middle_x], axis=1), zoom, roll


def _length(vectors: np.ndarray) -> np.ndarray:
    # a third of the time of numpy's norm over so short an axis
    return np.hypot(vectors[..., 0], vectors[..., 1])


def _moved(places: np.ndarray, shift: np.ndarray, zoom: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """(N, P, 2): where the similarity moves each place."""
    x, y = places[:, 0], places[:, 1]
    zoom, roll = zoom[:, None], roll[:, None]
    return shift[:, None] + np.stack([zoom * x - roll * y, zoom * y + roll * x], axis=2)


def flow_columns(
    flows: list[GridFlow | None], places: np.ndarray | None, pts_s: np.ndarray, small_px: float
) -> dict[str, np.ndarray]:
    """One float32 value a frame and column of `FLOW_COLUMNS`, a second; NaN on frames that were not looked at.

    `small_px` is the diagonal of the small picture, in whose pixels the noise of flow is known.
    """
    columns = {name: np.full(len(flows), np.nan, np.float32) for name in FLOW_COLUMNS}
    seen = np.array([i for i, flow in enumerate(flows) if flow is not None and i > 0], np.intp)
    if len(seen) == 0 or places is None:
        return columns
    vectors = np.stack([flows[i].vectors for i in seen])
    weights = np.stack([flows[i].weights for i in seen])
    path = fit_camera(places, vectors, weights, _LEAST_SCALE / small_px)
    seconds = np.maximum(pts_s[seen] - pts_s[seen - 1], 1e-3)
    found = {
        "flow": _length(vectors).mean(axis=1) / seconds,
        "flow_residual": path.residual.mean(axis=1) / seconds,
        "camera_x": path.x / seconds,
        "camera_y": path.y / seconds,
        "camera_zoom": path.zoom / seconds,
        "camera_roll": np.degrees(path.roll) / seconds,
        "camera_inliers": path.inliers,
        "camera_parallax": path.parallax,
        "camera_centre": path.centre,
        "camera_opposite": path.opposite,
    }
    for name, values in found.items():
        columns[name][seen] = values
    return columns
