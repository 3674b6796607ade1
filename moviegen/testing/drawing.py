"""Pixels of a scene: antialiased shapes by signed distance over a mildly textured background, numpy only.

Letters: T frames, H rows, W columns.
"""

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from .scene import BACKGROUNDS, COLOURS, PAN_TRAVEL, Scene, View, opacity_at, position_at, view_at

TEXTURE_CONTRAST = 9.0
"""Standard deviation of the background, 8-bit levels: enough that motion and compression are real."""


def render(scene: Scene) -> Iterator[np.ndarray]:
    """The scene's frames in order, each (H, W, 3) uint8 RGB."""
    texture = background_texture(scene)
    for i in range(scene.num_frames):
        yield render_frame(scene, i / scene.num_frames, texture)


def render_frame(scene: Scene, u: float, texture: np.ndarray | None = None, *, is_empty: bool = False) -> np.ndarray:
    """The frame at time u in 0..1, (H, W, 3) uint8 RGB; with `is_empty` the background alone."""
    view = view_at(scene, u)
    frame = _look_at(background_texture(scene) if texture is None else texture, scene, view)
    if not is_empty:
        x, y = position_at(scene, u)
        pixels = scene.short_side * view.zoom
        centre = scene.width / 2 + (x - view.x) * pixels, scene.height / 2 + (y - view.y) * pixels
        draw_shape(frame, scene.shape, scene.colour, centre, scene.radius * pixels, opacity_at(scene, u))
    return np.rint(frame).clip(0, 255).astype(np.uint8)


def background_texture(scene: Scene) -> np.ndarray:
    """The background with a margin for the pan, (H, W + margins, 3) float32: blotches and grain on its colour."""
    height, width = scene.height, scene.width + 2 * _margin(scene)
    rng = np.random.default_rng(scene.seed)
    field = np.zeros((height, width), np.float32)
    for cells, weight in ((4, 0.75), (16, 0.55), (48, 0.35)):
        step = scene.short_side / cells
        grid = rng.standard_normal((math.ceil(height / step) + 2, math.ceil(width / step) + 2)).astype(np.float32)
        field += weight * _interpolate(grid, np.arange(height) / step, np.arange(width) / step)
    return np.asarray(BACKGROUNDS[scene.background], np.float32) + TEXTURE_CONTRAST * field[..., None]


def _margin(scene: Scene) -> int:
    return math.ceil(scene.short_side * PAN_TRAVEL / 2) + 2 if scene.camera.startswith("pan") else 0


def _look_at(texture: np.ndarray, scene: Scene, view: View) -> np.ndarray:
    """The part of the background that the camera sees, (H, W, 3) float32."""
    if view.zoom == 1.0 and view.x == 0.0 and _margin(scene) == 0:
        return texture.copy()
    rows = (np.arange(scene.height) + 0.5 - scene.height / 2) / view.zoom + scene.height / 2 - 0.5
    columns = (np.arange(scene.width) + 0.5 - scene.width / 2) / view.zoom + scene.width / 2 - 0.5
    columns += _margin(scene) + view.x * scene.short_side
    return _interpolate(texture, rows, columns)


def _interpolate(grid: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Bilinear values of a grid (rows, columns, ...) on the raster of the given row and column coordinates."""

    def along(values: np.ndarray, at: np.ndarray) -> np.ndarray:
        low = np.clip(np.floor(at).astype(int), 0, len(values) - 2)
        weight = (at - low).clip(0, 1).astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
        return values[low] * (1 - weight) + values[low + 1] * weight

    return np.swapaxes(along(np.swapaxes(along(grid, rows), 0, 1), columns), 0, 1)


def draw_shape(
    frame: np.ndarray, shape: str, colour: str, centre: tuple[float, float], radius: float, opacity: float
) -> None:
    """Paints a shape onto a float frame (H, W, 3), in place; only its bounding box is touched."""
    if opacity == 0:
        return
    reach = radius * 1.3 + 2
    x0, y0 = max(0, math.floor(centre[0] - reach)), max(0, math.floor(centre[1] - reach))
    x1, y1 = math.ceil(centre[0] + reach), math.ceil(centre[1] + reach)
    box = frame[y0:y1, x0:x1]
    x = np.arange(x0, x0 + box.shape[1], dtype=np.float32) + 0.5 - centre[0]
    y = np.arange(y0, y0 + box.shape[0], dtype=np.float32) + 0.5 - centre[1]
    coverage = (0.5 - shape_distance(shape, x[None, :], y[:, None], radius)).clip(0, 1)[..., None] * opacity
    box += coverage * (np.asarray(COLOURS[colour], np.float32) - box)


def shape_distance(shape: str, x: np.ndarray, y: np.ndarray, radius: float) -> np.ndarray:
    """Signed distance (px, negative inside) of points from the outline of a shape around the origin; y points down."""
    if shape == "circle":
        return np.hypot(x, y) - radius
    return _polygon_distance([(cx * radius, cy * radius) for cx, cy in _corners(shape)], x, y)


@lru_cache
def _corners(shape: str) -> tuple[tuple[float, float], ...]:
    """Corners of a polygon around the origin, of an area near that of the unit circle."""
    if shape == "square":
        return ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9))
    if shape == "triangle":
        return ((0.0, -1.2), (1.2, 0.95), (-1.2, 0.95))
    turns = [math.pi * i / 5 for i in range(10)]
    radii = [1.25 if i % 2 == 0 else 0.55 for i in range(10)]
    return tuple((r * math.sin(turn), -r * math.cos(turn)) for r, turn in zip(radii, turns, strict=True))


def _polygon_distance(corners: list[tuple[float, float]], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Signed distance from a polygon: the nearest edge, and the sign by how often a ray crosses the outline."""
    squared = np.full(np.broadcast_shapes(x.shape, y.shape), np.inf, np.float32)
    inside = np.zeros(squared.shape, bool)
    for (ax, ay), (bx, by) in zip(corners, [corners[-1], *corners], strict=False):
        ex, ey = bx - ax, by - ay
        along = (((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey)).clip(0, 1)
        squared = np.minimum(squared, (x - ax - along * ex) ** 2 + (y - ay - along * ey) ** 2)
        if ey != 0:
            inside ^= ((ay > y) != (by > y)) & (x < ex * (y - ay) / ey + ax)
    return np.where(inside, -1, 1) * np.sqrt(squared)
