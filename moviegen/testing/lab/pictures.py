"""Pixels of a take. Letters: T frames, H rows, W columns."""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np

from moviegen.testing.drawing import background_texture, draw_shape, render_frame
from moviegen.testing.scene import BACKGROUNDS, COLOURS, Scene, position_at, view_at

from .faces import face_cells
from .letters import word_coverage
from .takes import GRID, GRID_RADIUS, Take

TILE = 0.25
"""Side of a tile of the floor, short sides: what makes a camera's move visible."""

TILE_CONTRAST = 22.0
"""Levels by which tiles are darker and brighter than their background's colour."""

EXTRA_RADIUS = 0.11
EXTRA_X, EXTRA_Y = 0.34, -0.34

STYLES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "negative": lambda frames: 255 - frames,
    "grey": lambda frames: np.rint(frames @ np.array([0.299, 0.587, 0.114]))[..., None].repeat(3, -1).astype(np.uint8),
}
"""Changes of all colours of (..., 3) uint8 pictures."""


def render_take(take: Take) -> Iterator[np.ndarray]:
    """The take's frames in order, each (H, W, 3) uint8 RGB."""
    floor = tiled_floor(take.scene)
    for i in range(take.scene.num_frames):
        yield render_moment(take, i / take.scene.num_frames, floor)


def take_frames(take: Take, num_frames: int | None = None) -> np.ndarray:
    """(T, H, W, 3) uint8: all frames, or `num_frames` spread evenly as training reads them."""
    from moviegen.contracts.bucket import sample_frame_indices

    total = take.scene.num_frames
    wanted = range(total) if num_frames is None else sample_frame_indices(total, num_frames)
    floor = tiled_floor(take.scene)
    return np.stack([render_moment(take, i / total, floor) for i in wanted])


def render_moment(take: Take, u: float, floor: np.ndarray | None = None) -> np.ndarray:
    """The frame at time u in 0..1, (H, W, 3) uint8 RGB."""
    floor = tiled_floor(take.scene) if floor is None else floor
    is_hidden = take.is_empty or take.face is not None
    frame = render_frame(take.scene, u, floor, is_empty=is_hidden).astype(np.float32)
    if take.face is not None and not take.is_empty:
        _draw_face(frame, take, u)
    if not take.is_empty:
        for x, y in GRID[take.count][1:]:
            _draw_at(frame, take.scene, (take.scene.shape, take.scene.colour), (x, y), GRID_RADIUS)
    if take.extra:
        colour, shape, side = take.extra
        place = (-EXTRA_X if side == "left" else EXTRA_X, EXTRA_Y)
        _draw_at(frame, take.scene, (shape, colour), place, EXTRA_RADIUS)
    if take.word:
        ink = 250.0 if BACKGROUNDS[take.scene.background][0] < 128 else 8.0
        frame += word_coverage(take.word, *frame.shape[:2])[..., None] * (ink - frame)
    picture = np.rint(frame).clip(0, 255).astype(np.uint8)
    return STYLES[take.style](picture) if take.style else picture


def tiled_floor(scene: Scene) -> np.ndarray:
    """The scene's background under light and dark tiles, (H, W + margins, 3) float32."""
    texture = background_texture(scene)
    step = scene.short_side * TILE
    phase = np.random.default_rng([scene.seed, 1]).uniform(0, 2, 2)
    rows = _square_wave(np.arange(texture.shape[0]) / step + phase[0])
    columns = _square_wave(np.arange(texture.shape[1]) / step + phase[1])
    return texture + TILE_CONTRAST * (rows[:, None] * columns[None, :])[..., None]


def _square_wave(at: np.ndarray) -> np.ndarray:
    """1 and -1 by turns, with soft edges."""
    return np.clip(4 * np.sin(np.pi * at), -1, 1).astype(np.float32)


def _draw_at(frame: np.ndarray, scene: Scene, what: tuple[str, str], place: tuple[float, float], radius: float) -> None:
    """A shape of a colour at a place of a static frame, short sides from the middle."""
    short = scene.short_side
    centre = scene.width / 2 + place[0] * short, scene.height / 2 + place[1] * short
    draw_shape(frame, *what, centre, radius * short, 1.0)


def _draw_face(frame: np.ndarray, take: Take, u: float) -> None:
    """The face where the scene's shape would be, in place."""
    scene = take.scene
    view, (x, y) = view_at(scene, u), position_at(scene, u)
    pixels = scene.short_side * view.zoom
    centre = scene.width / 2 + (x - view.x) * pixels, scene.height / 2 + (y - view.y) * pixels
    paint_face(frame, int(take.face or 0), centre, 0.9 * scene.radius * pixels)


def paint_face(frame: np.ndarray, face: int, centre: tuple[float, float], half: float) -> None:
    """A face of `half` its side around a centre (column, row), px, onto a float frame (H, W, 3), in place."""
    cells, fine = coloured_cells(face), 4
    coverage = []
    for side, middle in ((frame.shape[0], centre[1]), (frame.shape[1], centre[0])):
        at = (np.arange(side * fine) + 0.5) / fine - middle
        places = np.floor((at / half + 1) / 2 * len(cells)).astype(int)
        share = np.stack([places == cell for cell in range(len(cells))]).astype(np.float32)
        coverage.append(share.reshape(len(cells), side, fine).mean(-1))
    rows, columns = coverage
    colours = np.einsum("rh,cw,rcx->hwx", rows, columns, cells)
    covered = (rows.sum(0)[:, None] * columns.sum(0)[None, :])[..., None]
    frame *= 1 - covered
    frame += colours


@lru_cache
def coloured_cells(face: int) -> np.ndarray:
    """(4, 4, 3) float32 RGB of a face's cells."""
    palette = np.array(list(COLOURS.values()), np.float32)
    return palette[face_cells(face)]
