"""How the camera moves: the sixteen classes of the paper [S App B.2], told from the camera's path in the signals, with confidence.

The paper trains a classifier, which is not public. Ours reads the path: its direction, whether it keeps it, how much it trembles, and
what near and far things do. A camera that turns (pan, tilt, zoom) moves all of the picture alike; one that is carried (truck, pedestal,
push) moves near things more. Confidences are shares of all that moves and add up to at most 1; what the two have in common is neither's,
and a turn about the axis of view is none of the classes. Thresholds lie elsewhere.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest
from curation.signals.camera_path import seen_frames, smooth, usual_shake

CLASSES = (
    "zoom_in", "zoom_out", "push_in", "pull_out", "pan_right", "pan_left", "truck_right", "truck_left",
    "tilt_up", "tilt_down", "pedestal_up", "pedestal_down", "arc", "tracking", "static", "handheld",
)  # fmt: skip
"""In the paper's order [S App B.2]."""

STILL_SPEED = 0.006
"""Diagonals a second that a camera on a tripod seems to keep, things moving before it: real ones stay below 0.002. Our decision."""

UNREST = (0.006, 0.012)
"""Trembling, diagonals a second, below which nothing shakes, and above which nothing stands still: the noise of the path. Our decision."""

ZOOM_REACH = 0.25
"""Mean distance of a point from the picture's centre, diagonals: makes a growth comparable with a shift."""

TURNED, CARRIED = (0.03, 0.09), (0.06, 0.13)
"""Parallax from which a camera may do more than turn, and from which it surely does; from which it may be carried, and from which it
surely is. Between them the detector is unsure. This and the next two: our decision, set on `benchmarks/camera_moves.py --tune`."""

FOLLOWED = (0.8, 0.6)
"""Speed of the slow part of the middle, in units of the camera's, above which nothing is followed, and below which a thing is."""

AGAINST = (0.02, 0.05)
"""Share of the picture moving against the camera below which a followed thing is tracked, and above which it is circled."""


@dataclass(frozen=True)
class CameraDetector:
    """Confidence of each class, and the camera's mean speed."""

    name: ClassVar[str] = "camera"
    version: ClassVar[int] = 2
    metrics: ClassVar[dict[str, str]] = {
        **{f"camera.{name}": "0..1" for name in CLASSES},
        "camera.speed": "diagonals/s",
    }
    cost: ClassVar[float] = 0.3
    packages: ClassVar[tuple[str, ...]] = ()
    frames: ClassVar[FrameRequest] = FrameRequest()

    def score(self, clip: ClipInput) -> dict[str, float]:
        """One confidence a class, and the mean speed. Absent where flow was seen on fewer than 3 frames."""
        seen = seen_frames(clip.signals)
        if len(seen) < 3:
            return {}
        path = {
            name: values[seen].astype(np.float64) for name, values in clip.signals.items() if name.startswith("camera_")
        }
        return classify(path, clip.signals["pts_s"][seen].astype(np.float64))


def classify(path: dict[str, np.ndarray], pts_s: np.ndarray) -> dict[str, float]:
    """The metrics of a camera's path: columns `camera_*` of the signals at times `pts_s`, (N,) each."""
    x, y, zoom = path["camera_x"], path["camera_y"], path["camera_zoom"] * ZOOM_REACH
    smoothed = [smooth(values, pts_s) for values in (x, y, zoom)]
    shake = usual_shake(x, y, pts_s)
    unrest = max(0.0, shake - UNREST[0])
    moves = {name: _kept(values) for name, values in zip(("x", "y", "zoom"), smoothed, strict=True)}
    roll = abs(_kept(smooth(np.radians(path["camera_roll"]) * ZOOM_REACH, pts_s)))
    total = sum(abs(speed) for speed in moves.values()) + roll + STILL_SPEED + unrest
    shares = {name: speed / total for name, speed in moves.items()}
    turned, carried = _turned_carried(_median(path["camera_parallax"], np.nan))
    centre, opposite = _median(path["camera_centre"], 1.0), _median(path["camera_opposite"])
    stands = _ramp(centre, *FOLLOWED)
    # what moves against the camera is nearer than what stands: the camera is carried, however little else says so
    circled = stands * _ramp(opposite, *AGAINST)
    followed = max(circled, stands * carried)
    scores = {
        "static": STILL_SPEED / total * max(0.0, 1 - shake / UNREST[1]),
        "arc": (abs(shares["x"]) + abs(shares["y"])) * circled,
        "tracking": (abs(shares["x"]) + abs(shares["y"])) * (followed - circled),
        "handheld": unrest / total,
    }
    for axis, share in shares.items():
        alone = abs(share) * (1 - followed if axis != "zoom" else 1.0)
        turn, carry = _NAMES[axis, share > 0]
        scores |= {turn: alone * turned, carry: alone * carried}
    speed = float(np.mean(np.hypot(np.hypot(x, y), zoom)))
    found = {f"camera.{name}": scores.get(name, 0.0) for name in CLASSES}
    return found | {"camera.speed": speed}


_NAMES = {
    ("x", True): ("pan_left", "truck_left"),
    ("x", False): ("pan_right", "truck_right"),
    ("y", True): ("tilt_up", "pedestal_up"),
    ("y", False): ("tilt_down", "pedestal_down"),
    ("zoom", True): ("zoom_in", "push_in"),
    ("zoom", False): ("zoom_out", "pull_out"),
}
"""Axis and whether the picture moves right, down or grows -> class of a camera that turns and of one that is carried."""


def _turned_carried(parallax: float) -> tuple[float, float]:
    """How surely the camera only turns, and how surely it is carried: 0..1 each, 1 together at most; alike where nothing tells."""
    if not np.isfinite(parallax):
        return 0.5, 0.5
    return 1 - _ramp(parallax, *TURNED), _ramp(parallax, *CARRIED)


def _kept(speeds: np.ndarray) -> float:
    """Mean speed, less where the direction changes: a swing to and fro is no pan."""
    length = float(np.abs(speeds).mean())
    return float(speeds.mean()) * abs(float(speeds.mean())) / length if length > 0 else 0.0


def _median(values: np.ndarray, otherwise: float = 0.0) -> float:
    """Of what is known."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else otherwise


def _ramp(value: float, none: float, full: float) -> float:
    """0 at `none`, 1 at `full`, straight between."""
    return float(np.clip((value - none) / (full - none), 0, 1))
