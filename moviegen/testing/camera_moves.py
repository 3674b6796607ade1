"""Clips whose camera and whose motion are known: planes of texture at several depths, seen by a camera that moves as it is told.

Each plane moves by a similarity of its own: turning the camera (pan, tilt) or its lens (zoom) moves all planes alike; carrying it (truck,
pedestal, push) moves near planes more than far ones. So every pixel's true speed is known. Letters: T frames, H W rows and columns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np

FPS = Fraction(24)
SIZE = (320, 180)
"""Width and height."""

DEPTHS = (4.0, 2.0, 1.0)
"""Distance of the far plane, of the middle one with the subject, and of the near one."""

MOVES = (
    "static", "pan_left", "pan_right", "tilt_up", "tilt_down", "truck_left", "truck_right", "pedestal_up", "pedestal_down",
    "zoom_in", "zoom_out", "push_in", "pull_out", "arc", "tracking", "handheld",
)  # fmt: skip
"""The sixteen classes of the paper [S App B.2]."""


@dataclass(frozen=True)
class CameraClip:
    """A clip and what is true of it."""

    move: str
    frames: np.ndarray
    """(T, H, W, 3) uint8 RGB."""
    flow: float
    """Mean true speed of the picture's points, in diagonals a second."""
    object_flow: float
    """Mean true speed that is not the camera's, in diagonals a second."""


@dataclass(frozen=True)
class _Plane:
    """A picture that covers more than the frame, and where it is opaque."""

    image: np.ndarray
    alpha: np.ndarray
    depth: float
    own: tuple[float, float] = (0.0, 0.0)
    """Its own motion, pixels a frame."""


@dataclass(frozen=True)
class _Pose:
    """Where a plane is in a frame: shifted by pixels, grown and turned about the frame's centre."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0
    roll: float = 0.0

    def matrix(self, margin: int) -> np.ndarray:
        """(2, 3) affine from the plane's pixels to the frame's."""
        width, height = SIZE
        cos, sin = self.scale * np.cos(self.roll), self.scale * np.sin(self.roll)
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        turn = np.array([[cos, -sin], [sin, cos]])
        shift = centre + np.array([self.x, self.y]) - turn @ (centre + margin)
        return np.hstack([turn, shift[:, None]])


def make_clip(
    move: str,
    speed: float,
    seed: int,
    *,
    num_frames: int = 72,
    object_speed: float = 0.0,
    object_size: float = 0.3,
) -> CameraClip:
    """A clip of one of `MOVES` at about `speed` diagonals a second, with a thing of a share of the height that moves at `object_speed`."""
    rng = np.random.default_rng(seed)
    diagonal = float(np.hypot(*SIZE))
    step = speed * diagonal / float(FPS)
    margin = int(step * num_frames * 2.5 + object_speed * diagonal * num_frames / float(FPS)) + 60
    path = _path(move, step, num_frames, rng)
    planes = _planes(move, margin, rng)
    if object_speed > 0:
        angle = rng.uniform(0, 2 * np.pi)
        length = object_speed * diagonal / float(FPS)
        thing = _patch(margin, [(0.5, 0.5, object_size)], rng)
        # a thing that goes to and fro stays in the picture
        planes.append(_Plane(*thing, DEPTHS[1], (length * np.cos(angle), length * np.sin(angle))))
    poses = [[_pose_of(plane, place, pose, move) for plane in planes] for place, pose in enumerate(path)]
    frames = np.stack([_draw(planes, row, margin) for row in poses])
    flow, object_flow = _true_speeds(planes, poses, margin)
    rate = float(FPS) / diagonal
    noisy = np.clip(frames + rng.normal(0, 2.0, frames.shape), 0, 255).astype(np.uint8)
    return CameraClip(move, noisy, flow * rate, object_flow * rate)


def _path(move: str, step: float, num_frames: int, rng: np.random.Generator) -> list[_Pose]:
    """What the camera does to a plane at distance 1, frame by frame."""
    ramp = np.arange(num_frames) * step
    if move == "handheld":
        walk = _shake(num_frames, rng) * step
        return [_Pose(x, y, 1.0, roll / 300) for x, y, roll in walk]
    sign = -1.0 if move in ("pan_right", "truck_right", "tilt_down", "pedestal_down", "zoom_out", "pull_out") else 1.0
    if move in ("zoom_in", "zoom_out", "push_in", "pull_out"):
        # the mean distance of a point from the centre is a quarter of the diagonal
        growth = ramp / (0.25 * float(np.hypot(*SIZE)))
        return [_Pose(scale=float(np.exp(sign * g))) for g in growth]
    if move in ("tilt_up", "tilt_down", "pedestal_up", "pedestal_down"):
        return [_Pose(y=sign * r) for r in ramp]
    return [_Pose(x=sign * r) if move != "static" else _Pose() for r in ramp]


def _shake(num_frames: int, rng: np.random.Generator) -> np.ndarray:
    """(T, 3): a hand's unrest, about one unit a frame."""
    noise = rng.normal(0, 1, (num_frames + 8, 3))
    smooth = np.stack([np.convolve(column, np.ones(3) / 3, "same") for column in noise.T], axis=1)[4:-4]
    return smooth / np.abs(np.diff(smooth, axis=0)).mean()


def _planes(move: str, margin: int, rng: np.random.Generator) -> list[_Plane]:
    far = _texture(margin, rng)
    planes = [_Plane(far, np.ones(far.shape[:2], np.float32), DEPTHS[0])]
    planes.append(_Plane(*_patch(margin, [(0.5, 0.5, 0.55)], rng), DEPTHS[1]))
    spots = [(x, y, 0.4) for x, y in zip(np.arange(-1.0, 2.01, 0.5), np.tile([0.08, 0.92], 4)[:7], strict=True)]
    planes.append(_Plane(*_patch(margin, spots, rng), DEPTHS[2]))
    return planes


def _pose_of(plane: _Plane, place: int, pose: _Pose, move: str) -> _Pose:
    """The pose of one plane under the camera's, with its own motion."""
    near = DEPTHS[2] / plane.depth
    if move.startswith(("truck", "pedestal")):
        pose = _Pose(pose.x * near * 1.6, pose.y * near * 1.6, pose.scale, pose.roll)
    elif move in ("push_in", "pull_out"):
        pose = _Pose(pose.x, pose.y, float(pose.scale ** (1.6 * near)), pose.roll)
    elif move == "tracking":
        pose = _Pose(0.0 if plane.depth == DEPTHS[1] else pose.x * (1.0 if plane.depth == DEPTHS[0] else 1.3))
    elif move == "arc":
        pose = _Pose(pose.x * (-1.6 if plane.depth == DEPTHS[2] else 1.2 if plane.depth == DEPTHS[0] else 0.0))
    swing = _to_and_fro(place)
    return _Pose(pose.x + plane.own[0] * swing, pose.y + plane.own[1] * swing, pose.scale, pose.roll)


def _to_and_fro(place: int, period: int = 24) -> float:
    """Frames walked along a way that turns back every `period` frames."""
    there = place % (2 * period)
    return float(min(there, 2 * period - there) - period / 2)


def _texture(margin: int, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) float32: something to see everywhere, at several sizes."""
    width, height = SIZE[0] + 2 * margin, SIZE[1] + 2 * margin
    layers = []
    for cell in (5, 14, 40, 110):
        noise = rng.random((height // cell + 2, width // cell + 2, 3)).astype(np.float32)
        layers.append(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC))
    mixed = np.mean(layers, axis=0)
    return np.clip((mixed - 0.5) * 2.2 + rng.uniform(0.35, 0.65, 3), 0, 1).astype(np.float32) * 255


def _patch(
    margin: int, spots: list[tuple[float, float, float]], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A texture that is seen only in ellipses (x, y as shares of the frame, size as a share of its height)."""
    image = _texture(margin, rng)
    alpha = np.zeros(image.shape[:2], np.float32)
    for x, y, size in spots:
        centre = round(margin + x * SIZE[0]), round(margin + y * SIZE[1])
        axes = round(size * SIZE[1] * 0.6), round(size * SIZE[1] * 0.5)
        cv2.ellipse(alpha, centre, axes, 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    return image, alpha


def _draw(planes: list[_Plane], poses: list[_Pose], margin: int) -> np.ndarray:
    picture = np.zeros((SIZE[1], SIZE[0], 3), np.float32)
    for plane, pose in zip(planes, poses, strict=True):
        matrix = pose.matrix(margin)
        image = cv2.warpAffine(plane.image, matrix, SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        edge = cv2.BORDER_REFLECT if plane.depth == DEPTHS[0] else cv2.BORDER_CONSTANT
        alpha = cv2.warpAffine(plane.alpha, matrix, SIZE, flags=cv2.INTER_LINEAR, borderMode=edge)[..., None]
        picture = picture * (1 - alpha) + image * alpha
    return picture


def _true_speeds(planes: list[_Plane], poses: list[list[_Pose]], margin: int) -> tuple[float, float]:
    """Mean length of the true displacement of all points of the picture, pixels a frame; and of the planes' own motion."""
    x, y = np.meshgrid(np.arange(2, SIZE[0], 8.0), np.arange(2, SIZE[1], 8.0))
    points = np.stack([x.ravel(), y.ravel()], 1)
    total, own = [], []
    for place, (now, then) in enumerate(pairwise(poses)):
        moved, alone = np.zeros(len(points)), np.zeros(len(points))
        swing = abs(_to_and_fro(place + 1) - _to_and_fro(place))
        for plane, a, b in zip(planes, now, then, strict=True):
            there, seen = _follow(points, a, b, margin), _is_seen(plane, points, a, margin)
            moved = np.where(seen, np.linalg.norm(there - points, axis=1), moved)
            alone = np.where(seen, np.hypot(*plane.own) * swing, alone)
        total.append(moved.mean())
        own.append(alone.mean())
    return float(np.mean(total)), float(np.mean(own))


def _follow(points: np.ndarray, now: _Pose, then: _Pose, margin: int) -> np.ndarray:
    """Where points (P, 2) of a frame are in the next, on a plane of these poses."""
    a, b = now.matrix(margin), then.matrix(margin)
    on_plane = np.linalg.solve(a[:, :2], (points - a[:, 2]).T).T
    return on_plane @ b[:, :2].T + b[:, 2]


def _is_seen(plane: _Plane, points: np.ndarray, pose: _Pose, margin: int) -> np.ndarray:
    """Which points (P, 2) of a frame a plane covers."""
    if plane.depth == DEPTHS[0]:
        return np.ones(len(points), bool)
    a = pose.matrix(margin)
    x, y = np.linalg.solve(a[:, :2], (points - a[:, 2]).T).round().astype(int)
    inside = (x >= 0) & (y >= 0) & (x < plane.alpha.shape[1]) & (y < plane.alpha.shape[0])
    return inside & (plane.alpha[y.clip(0, plane.alpha.shape[0] - 1), x.clip(0, plane.alpha.shape[1] - 1)] > 0.5)


MOTION_SUITE: tuple[tuple[str, float, float], ...] = (
    *(("static", 0.0, 0.0),) * 2,
    *(("pan_left", speed, 0.0) for speed in (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)),
    *(("tilt_up", speed, 0.0) for speed in (0.04, 0.15, 0.5)),
    *(("zoom_in", speed, 0.0) for speed in (0.03, 0.08, 0.2)),
    *(("truck_right", speed, 0.0) for speed in (0.06, 0.15, 0.3)),
    *(("static", 0.0, speed) for speed in (0.05, 0.1, 0.2, 0.3, 0.45, 0.6)),
    *(("handheld", speed, 0.0) for speed in (0.03, 0.1, 0.3)),
    *(("pan_right", speed, 0.3) for speed in (0.1, 0.3)),
)
"""Move, camera's speed and the thing's speed of 28 clips, from nothing at all to a whip."""


def motion_suite(seed: int) -> list[Callable[[], CameraClip]]:
    """Makers of the 28 clips of `MOTION_SUITE`."""
    return [
        lambda move=move, speed=speed, thing=thing, number=number: make_clip(
            move, speed, 1000 * seed + number, object_speed=thing
        )
        for number, (move, speed, thing) in enumerate(MOTION_SUITE)
    ]
