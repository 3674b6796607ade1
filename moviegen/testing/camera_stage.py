"""Clips whose camera is known, with true perspective: pictures stand as cards on a stage, and a pinhole camera moves among them.

A wall far away, a floor, things at several distances, each with a picture that is handed in (frames of real footage, say). A camera that
turns or zooms moves all of it alike; one that is carried moves near things more, as in life: warps of one picture cannot do that.
Metres: x to the right, y down, z away from where the camera begins. H W are rows and columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import cv2
import numpy as np

from moviegen.testing.camera_drive import CameraPose, Drive, drive_poses

FPS = Fraction(24)
SIZE = (320, 180)
"""Width and height."""

WALL_M, SUBJECT_M = 8.0, 4.0
"""Distance of the wall and of the thing in the middle."""

BEFORE_M, BEHIND_M = (2.5, 5.0), (5.0, 7.0)
"""Distance of what moves by itself: it may hide the thing in the middle, unless the camera is there for that."""


@dataclass(frozen=True)
class Card:
    """A flat picture somewhere on the stage."""

    image: np.ndarray
    """uint8, (H, W, 4) with an outline; (H, W, 3): opaque everywhere, and mirrored on beyond its edges."""
    corner: np.ndarray
    """(3,) where its first pixel is, metres."""
    right: np.ndarray
    """(3,) step to the next column."""
    down: np.ndarray
    """(3,) step to the next row."""
    path: np.ndarray | None = field(default=None)
    """(T, 3) how far it has gone by itself in each frame."""

    def homography(self, pose: CameraPose, number: int) -> np.ndarray:
        """(3, 3) from its pixels to those of frame `number`; the last row gives metres before the camera."""
        corner = self.corner if self.path is None else self.corner + self.path[number]
        return pose.projection(SIZE) @ np.stack([self.right, self.down, corner - pose.place], axis=1)


@dataclass(frozen=True)
class Thing:
    """Something that moves by itself before the camera."""

    speed: float
    """In diagonals a second, as the picture of a standing camera would show it."""
    turns_back: bool
    """Goes to and fro; else it crosses the picture."""


def film(
    pictures: Sequence[np.ndarray],
    drive: Drive,
    seed: int,
    *,
    num_frames: int = 72,
    is_flat: bool = False,
    thing: Thing | None = None,
) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB: the move of the drive on a stage of these pictures ((H, W, 3) uint8 RGB, three or more)."""
    rng = np.random.default_rng(seed)
    focal = float(rng.uniform(0.85, 1.5))
    cards = [_wall(pictures, focal, rng)] if is_flat else _stage(pictures, focal, rng)
    if thing is not None:
        depth = float(rng.uniform(*(BEHIND_M if drive.move in ("arc", "tracking") else BEFORE_M)))
        cards.append(_mover(pictures, thing, depth, focal, num_frames, rng))
    cards.sort(key=lambda card: -card.corner[2])
    start = CameraPose(np.zeros(3), focal=focal)
    poses = drive_poses(drive, start, _usual_depth(cards, start), SUBJECT_M, num_frames, float(FPS), SIZE, rng)
    if drive.move == "tracking":
        cards = [_followed(card, poses) if card.corner[2] == SUBJECT_M else card for card in cards]
    frames = np.stack([_draw(cards, pose, number) for number, pose in enumerate(poses)])
    return _grainy(frames, rng)


def _grainy(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The noise of a sensor, eight pictures of it in turn."""
    grain = rng.normal(0, 1.5, (8, *frames.shape[1:])).astype(np.int16)
    return np.stack([np.clip(frame + grain[i % 8], 0, 255).astype(np.uint8) for i, frame in enumerate(frames)])


def _stage(pictures: Sequence[np.ndarray], focal: float, rng: np.random.Generator) -> list[Card]:
    """Wall, floor, a thing in the middle, some behind it at the sides, some before it."""
    wall = _wall(pictures, focal, rng)
    height = float(rng.uniform(0.12, 0.2)) * WALL_M / focal
    cards = [wall, *_floor(_pick(pictures, rng), height, focal)] if rng.random() < 0.7 else [wall]
    cards.append(_standing(pictures, 0.0, SUBJECT_M, float(rng.uniform(0.4, 0.7)), focal, rng))
    for x in rng.uniform(-0.9, 0.9, 3):
        cards.append(
            _standing(pictures, float(x), float(rng.uniform(5.0, 7.0)), float(rng.uniform(0.2, 0.45)), focal, rng)
        )
    side = rng.choice([-1, 1])
    for number in range(int(rng.integers(1, 4))):
        x = side * (0.42 + 0.45 * number) * (-1) ** number
        cards.append(_standing(pictures, x, float(rng.uniform(1.8, 2.8)), float(rng.uniform(0.5, 0.9)), focal, rng))
    return cards


def _wall(pictures: Sequence[np.ndarray], focal: float, rng: np.random.Generator) -> Card:
    return _upright(_pick(pictures, rng), 0.0, 0.0, WALL_M, 9 / 16 * 1.05, focal)


def _standing(
    pictures: Sequence[np.ndarray], x: float, depth: float, height: float, focal: float, rng: np.random.Generator
) -> Card:
    """A thing cut out of a picture: `x` from the middle in widths of the view there, `height` in heights of it."""
    image = _cut(_pick(pictures, rng), rng)
    y = float(rng.uniform(-0.05, 0.25)) * 9 / 16
    return _upright(np.dstack([image, _outline(image.shape[:2], rng)]), x, y, depth, height * 9 / 16, focal)


def _upright(image: np.ndarray, x: float, y: float, depth: float, height: float, focal: float) -> Card:
    """A card that faces the camera's start; places and sizes in widths of the view at its depth."""
    step = height * depth / focal / image.shape[0]
    rows, columns = image.shape[:2]
    corner = np.array([x * depth / focal - columns * step / 2, y * depth / focal - rows * step / 2, depth])
    return Card(image, corner, np.array([step, 0, 0]), np.array([0, step, 0]))


def _floor(image: np.ndarray, height: float, focal: float) -> list[Card]:
    """Slabs of a metre from the wall to behind the camera, mirrored to both sides and from slab to slab."""
    wide = np.concatenate([image, image[:, ::-1]] * 2 + [image], axis=1)
    wide = np.dstack([wide, np.full(wide.shape[:2], 255, np.uint8)])
    step = WALL_M / focal / image.shape[1]
    rows = image.shape[0] // 3
    slabs = []
    for number in range(round(WALL_M) + 4):
        third = 2 - abs(number % 4 - 2) if number % 4 != 3 else 1
        part = wide[third * rows : (third + 1) * rows][:: -1 if number % 4 >= 2 else 1]
        corner = np.array([-wide.shape[1] * step / 2, height, WALL_M - number])
        slabs.append(Card(np.ascontiguousarray(part), corner, np.array([step, 0, 0]), np.array([0, 0, -1 / rows])))
    return slabs


def _mover(
    pictures: Sequence[np.ndarray], thing: Thing, depth: float, focal: float, num_frames: int, rng: np.random.Generator
) -> Card:
    seconds = np.arange(num_frames) / float(FPS)
    angle = rng.uniform(0, 2 * np.pi) if thing.turns_back else rng.choice([0, np.pi]) + rng.uniform(-0.3, 0.3)
    way = np.abs((seconds + 0.5) % 2 - 1) - 0.5 if thing.turns_back else seconds - seconds[-1] / 2
    metres = thing.speed * np.hypot(1, 9 / 16) * depth / focal
    card = _standing(pictures, 0.0, depth, float(rng.uniform(0.3, 0.5)), focal, rng)
    return replace(card, path=way[:, None] * metres * np.array([np.cos(angle), np.sin(angle), 0.0]))


def _followed(card: Card, poses: Sequence[CameraPose]) -> Card:
    """The card walks as the camera does, and bobs a little."""
    along = np.array([pose.walked for pose in poses])
    bob = 0.02 * np.sin(np.arange(len(poses)) / float(FPS) * 2 * np.pi * 1.8)
    return replace(card, path=along + np.stack([0 * bob, bob, 0 * bob], axis=1))


def _pick(pictures: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    return pictures[int(rng.integers(len(pictures)))]


def _cut(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of a picture, somewhere in it."""
    rows, columns = image.shape[0] * 2 // 3, image.shape[1] // 3
    y, x = rng.integers(image.shape[0] - rows + 1), rng.integers(image.shape[1] - columns + 1)
    return np.ascontiguousarray(image[y : y + rows, x : x + columns])


def _outline(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(H, W) uint8: an irregular blob that nearly fills the picture."""
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radii = 0.4 + 0.09 * sum(np.cos(k * turns + rng.uniform(0, 6.3)) / k for k in (2, 3, 4))
    points = np.stack([np.cos(turns) * radii * shape[1], np.sin(turns) * radii * shape[0]], axis=1)
    points = np.rint(points + np.array(shape[::-1]) / 2).astype(np.int32)
    return cv2.fillPoly(np.zeros(shape, np.uint8), [points], 255, cv2.LINE_AA)


def _usual_depth(cards: Sequence[Card], pose: CameraPose) -> float:
    """Depth at which a thing moves as the mean of the picture does under a carried camera: the harmonic mean, metres."""
    nearness = np.zeros(SIZE[::-1], np.float32)
    for card in cards:
        matrix = card.homography(pose, 0)
        box, image = _seen(card, matrix)
        y, x = np.mgrid[box]
        on_card = np.linalg.inv(matrix) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
        opaque = image[..., 3] > 127 if image.shape[2] == 4 else np.ones(x.shape, bool)
        nearness[box] = np.where(opaque, on_card[2].reshape(x.shape), nearness[box])
    return float(1 / np.maximum(nearness, 1e-3).mean())


def _seen(card: Card, matrix: np.ndarray) -> tuple[tuple[slice, slice], np.ndarray]:
    """The rows and columns of the frame that the card may cover, and its picture in them; (h, w, 4) where it has an outline."""
    rows, columns = card.image.shape[:2]
    if card.image.shape[2] == 3:
        image = cv2.warpPerspective(card.image, matrix, SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        return (slice(0, SIZE[1]), slice(0, SIZE[0])), image
    x, y, before = matrix @ np.array([[0, columns, 0, columns], [0, 0, rows, rows], [1, 1, 1, 1]])
    if before.min() <= 0.1:
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0, 4), np.uint8)
    left, right = (int(np.clip(edge, 0, SIZE[0])) for edge in ((x / before).min() - 1, (x / before).max() + 2))
    top, bottom = (int(np.clip(edge, 0, SIZE[1])) for edge in ((y / before).min() - 1, (y / before).max() + 2))
    if right <= left or bottom <= top:
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0, 4), np.uint8)
    shift = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]])
    image = cv2.warpPerspective(card.image, shift @ matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    return (slice(top, bottom), slice(left, right)), image


def _draw(cards: Sequence[Card], pose: CameraPose, number: int) -> np.ndarray:
    picture = np.zeros((*SIZE[::-1], 3), np.uint8)
    for card in cards:
        box, image = _seen(card, card.homography(pose, number))
        if image.shape[2] == 3:
            picture[box] = image
            continue
        alpha = image[..., 3:].astype(np.uint16)
        picture[box] = (picture[box] * (255 - alpha) + image[..., :3] * alpha + 127) // 255
    return picture
