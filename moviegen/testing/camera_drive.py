"""How a camera is driven: each of the sixteen moves of the paper [S App B.2] as poses of a pinhole camera, steady or in a hand.

Metres: x to the right, y down, z away from where the camera begins. Angles in radians.
"""

from dataclasses import dataclass, field, replace

import numpy as np

MOVES = (
    "zoom_in", "zoom_out", "push_in", "pull_out", "pan_right", "pan_left", "truck_right", "truck_left",
    "tilt_up", "tilt_down", "pedestal_up", "pedestal_down", "arc", "tracking", "static", "handheld",
)  # fmt: skip

ZOOM_REACH = 0.25
"""Mean distance of a point from the picture's centre, diagonals: a picture that grows moves its points as fast as its growth times it."""


@dataclass(frozen=True)
class Drive:
    """What the camera is to do."""

    move: str
    speed: float
    """How fast the picture's points move in the mean, about, in diagonals a second."""
    unrest: float = 0.0
    """Mean speed that an unsteady hand adds, in the same unit."""


@dataclass(frozen=True)
class CameraPose:
    """Where the camera is and where it looks."""

    place: np.ndarray
    """(3,) metres."""
    yaw: float = 0.0
    """To the right."""
    pitch: float = 0.0
    """Upwards."""
    roll: float = 0.0
    """Clockwise."""
    focal: float = 1.0
    """In widths of the picture."""
    walked: np.ndarray = field(default_factory=lambda: np.zeros(3))
    """(3,) the part of `place` that is the move's, not the hand's."""

    def projection(self, size: tuple[int, int]) -> np.ndarray:
        """(3, 3) from metres before the camera to pixels of a picture of that width and height."""
        width, height = size
        lens = np.array(
            [[self.focal * width, 0, (width - 1) / 2], [0, self.focal * width, (height - 1) / 2], [0, 0, 1]]
        )
        return lens @ _turn(self.roll, 0, 1) @ _turn(self.pitch, 1, 2) @ _turn(self.yaw, 2, 0)


def _turn(angle: float, first: int, second: int) -> np.ndarray:
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[first, second], matrix[second, first] = np.sin(angle), -np.sin(angle)
    return matrix


def drive_poses(
    drive: Drive,
    start: CameraPose,
    depth: float,
    subject: float,
    num_frames: int,
    fps: float,
    size: tuple[int, int],
    rng,
) -> list[CameraPose]:
    """One pose a frame. `depth` is where things move as the mean of the picture does, `subject` that of what is circled, metres."""
    width, height = size
    diagonal = float(np.hypot(1, height / width))
    seconds = (np.arange(num_frames) - (num_frames - 1) / 2) / fps
    # nobody moves quite evenly
    way = seconds + 0.12 * np.sin(2 * np.pi * (0.5 * seconds + rng.uniform()))
    steady = [_pose(drive, start, float(s), diagonal, depth, subject) for s in way * drive.speed]
    if drive.unrest == 0:
        return steady
    hand = _unrest(num_frames, fps, rng) * drive.unrest * diagonal / start.focal
    return [_shaken(pose, *row) for pose, row in zip(steady, hand, strict=True)]


def _pose(drive: Drive, start: CameraPose, way: float, diagonal: float, depth: float, subject: float) -> CameraPose:
    """The pose where the picture has moved `way` diagonals since the middle of the clip."""
    angle = way * diagonal / start.focal
    sign = (
        -1.0 if drive.move in ("pan_left", "truck_left", "tilt_down", "pedestal_down", "zoom_out", "pull_out") else 1.0
    )
    metres = sign * angle * depth
    match drive.move.split("_")[0]:
        case "pan":
            return replace(start, yaw=sign * np.arctan(angle))
        case "tilt":
            return replace(start, pitch=sign * np.arctan(angle))
        case "zoom":
            return replace(start, focal=start.focal * float(np.exp(sign * way / ZOOM_REACH)))
        case "truck" | "tracking":
            return _carried(start, metres, 0.0, 0.0)
        case "pedestal":
            return _carried(start, 0.0, -metres, 0.0)
        case "push" | "pull":
            return _carried(start, 0.0, 0.0, sign * way / ZOOM_REACH * depth)
        case "arc":
            # what lies far behind the subject passes at the speed asked for
            turn = 2.0 * angle
            return replace(_carried(start, subject * np.sin(turn), 0.0, subject * (1 - np.cos(turn))), yaw=-turn)
    return start


def _carried(start: CameraPose, *metres: float) -> CameraPose:
    return replace(start, place=start.place + np.array(metres), walked=np.array(metres))


def _shaken(pose: CameraPose, yaw: float, pitch: float, roll: float, x: float, y: float, z: float) -> CameraPose:
    return replace(
        pose,
        place=pose.place + 0.5 * np.array([x, y, z]),
        yaw=pose.yaw + yaw,
        pitch=pose.pitch + pitch,
        roll=pose.roll + roll,
    )


def _unrest(num_frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """(T, 6) what a hand does: waves of 0.5 to 7 Hz, the slow ones wider; yaw and pitch of a mean speed of 1 a second together."""
    hertz = np.exp(rng.uniform(np.log(0.5), np.log(7.0), (8, 6)))
    phase = rng.uniform(0, 2 * np.pi, (8, 6))
    seconds = np.arange(num_frames)[:, None, None] / fps
    waves = (np.sin(2 * np.pi * hertz * seconds + phase) / hertz).sum(axis=1)
    return waves / (np.hypot(*np.diff(waves[:, :2], axis=0).T).mean() * fps)
