"""Scenes of the toy world: one coloured shape that does one thing before one camera.

Lengths are in short sides of the frame, positions from the frame's middle (x to the right, y down), time `u` runs from 0
(first frame) to 1 (end of the clip). All of it is our decision; the paper has no such world.
"""

import math
from dataclasses import dataclass, fields, replace
from fractions import Fraction

import numpy as np

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (224, 24, 24),
    "yellow": (240, 214, 16),
    "green": (24, 176, 40),
    "cyan": (16, 200, 216),
    "blue": (32, 64, 232),
    "purple": (190, 32, 214),
}
"""Strong colours, about a sixth of the hue circle apart."""

SHAPES = ("circle", "square", "triangle", "star")
ACTIONS: dict[str, tuple[str, ...]] = {
    "moves": ("left", "right", "up", "down"),
    "bounces": ("horizontally", "vertically"),
    "appears": ("",),
    "stays still": ("",),
}
"""Action -> the directions it may have."""

CAMERAS = ("static", "zoom in", "zoom out", "pan left", "pan right")
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "charcoal": (44, 46, 50),
    "slate": (98, 104, 112),
    "silver": (166, 166, 162),
    "ivory": (222, 218, 208),
}
"""Pale or dark, nearly grey: whatever is saturated is the shape."""

MIN_CONTRAST = 25.0
"""Least difference in luma between a shape and its background: equal luma would be no motion to a motion score."""

EXTENT: dict[str, float] = {"circle": 1.0, "square": 0.9, "triangle": 1.2, "star": 1.25}
"""How far a shape reaches from its middle along an axis, in radii."""

PAN_TRAVEL = 0.24
"""How far the camera pans over a clip, in short sides."""

ZOOM_FACTOR = 1.25
"""Size at the end of a zoom in against its beginning."""

EDGE = 0.02
"""Room left between a shape and the edge of the frame, in short sides."""

_AXES = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1), "horizontally": (1, 0), "vertically": (0, 1)}


@dataclass(frozen=True)
class Scene:
    """Everything that is shown in one shot; the same scene renders to the same pixels and sound."""

    seed: int
    """Of the background's texture."""
    shape: str
    colour: str
    action: str
    """`moves`, `bounces`, `appears` or `stays still`; constant over the clip."""
    direction: str
    """`left`, `right`, `up`, `down` of a move, `horizontally`, `vertically` of a bounce; empty otherwise."""
    camera: str
    background: str
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    fps: Fraction
    num_frames: int
    radius: float
    """Of the shape, short sides."""
    x: float
    """Middle of the shape's path, short sides right of the frame's middle."""
    y: float
    """Middle of the shape's path, short sides below the frame's middle."""
    travel: float
    """Length of the path, short sides; 0 for what does not move."""
    crossings: float
    """How often a bouncing shape runs its path over the clip; 1 for a move."""

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"scene {name} is {getattr(self, name)!r}, wanted one of {', '.join(map(repr, allowed))}"
                )
        if self.direction not in ACTIONS[self.action]:
            raise ValueError(
                f"a shape that {self.action} cannot have direction {self.direction!r}: {ACTIONS[self.action]}"
            )
        if min(self.width, self.height) < 16 or self.num_frames < 1 or self.fps <= 0:
            raise ValueError(
                f"scene of {self.width}x{self.height}, {self.num_frames} frames, {self.fps} fps: too small"
            )

    @property
    def duration(self) -> float:
        """Seconds."""
        return float(self.num_frames / self.fps)

    @property
    def short_side(self) -> int:
        """Pixels."""
        return min(self.width, self.height)


_CHOICES = {"shape": SHAPES, "colour": COLOURS, "action": ACTIONS, "camera": CAMERAS, "background": BACKGROUNDS}


@dataclass(frozen=True)
class View:
    """The camera at one moment: what lies in the middle of the frame (short sides) and how much it magnifies."""

    x: float
    y: float
    zoom: float


def view_at(scene: Scene, u: float) -> View:
    """The camera at time u in 0..1."""
    if scene.camera.startswith("pan"):
        sign = 1 if scene.camera == "pan right" else -1
        return View(sign * PAN_TRAVEL * (u - 0.5), 0.0, 1.0)
    if scene.camera.startswith("zoom"):
        return View(0.0, 0.0, ZOOM_FACTOR ** (u if scene.camera == "zoom in" else 1 - u))
    return View(0.0, 0.0, 1.0)


def position_at(scene: Scene, u: float) -> tuple[float, float]:
    """Middle of the shape in the world at time u, short sides. `render` shows it through `view_at`."""
    if scene.travel == 0:
        return scene.x, scene.y
    along = u if scene.action == "moves" else _triangle_wave(scene.crossings * u + 0.5)
    dx, dy = _AXES[scene.direction]
    return scene.x + dx * scene.travel * (along - 0.5), scene.y + dy * scene.travel * (along - 0.5)


def _triangle_wave(v: float) -> float:
    """0 -> 0, 1 -> 1, 2 -> 0, ... in straight lines."""
    return 1 - abs(v % 2 - 1)


def opacity_at(scene: Scene, u: float) -> float:
    """How much of the shape is there at time u: what appears does so within a tenth of the clip, from 0.35 on."""
    return 1.0 if scene.action != "appears" else min(1.0, max(0.0, (u - 0.35) / 0.1))


def bounce_times(scene: Scene) -> list[float]:
    """Seconds at which a bouncing shape turns round: there the sound has a click."""
    if scene.action != "bounces":
        return []
    turns = range(1, math.ceil(scene.crossings + 0.5))
    return [(turn - 0.5) / scene.crossings * scene.duration for turn in turns if turn - 0.5 < scene.crossings]


def contrast(colour: str, background: str) -> float:
    """Difference in luma (BT.601, 8-bit levels) between a colour and a background."""
    weights = np.array([0.299, 0.587, 0.114])
    return abs(float(weights @ np.array(COLOURS[colour]) - weights @ np.array(BACKGROUNDS[background])))


def sample_scene(seed: int | np.random.Generator, **constraints: object) -> Scene:
    """A random scene; `constraints` fix any of its fields (`colour="red", width=64, ...`), also `duration` in seconds.

    Most shapes move, most cameras stand still. The shape stays whole and inside the frame, and something always moves
    unless `stays still` and `static` are both asked for. Raises ValueError on an unknown constraint or one that cannot be
    met.
    """
    rng = np.random.default_rng(seed)
    fixed = {k: v for k, v in constraints.items() if v is not None}
    if odd := sorted(set(fixed) - {f.name for f in fields(Scene)} - {"duration"}):
        raise ValueError(
            f"a scene has no {', '.join(odd)}; it has {', '.join(f.name for f in fields(Scene))} and duration"
        )
    choice = _sample_choices(rng, fixed)
    width, height, fps, num_frames = _sample_format(rng, fixed)
    zoom = ZOOM_FACTOR if choice["camera"].startswith("zoom") else 1.0
    radius = float(rng.uniform(0.16, 0.2 if zoom == 1.0 else 0.175))
    scene = Scene(
        seed=int(rng.integers(2**31)), **choice, width=width, height=height, fps=fps, num_frames=num_frames,
        radius=radius, x=0.0, y=0.0, travel=0.0, crossings=1.0,
    )  # fmt: skip
    scene = replace(scene, **{k: v for k, v in fixed.items() if k in ("radius", "seed")})
    scene = _place(rng, scene)
    return replace(scene, **{k: v for k, v in fixed.items() if k in ("x", "y", "travel", "crossings")})


def _sample_choices(rng: np.random.Generator, fixed: dict) -> dict[str, str]:
    """Shape, colour, action, direction, camera and background. Draws every number whether or not it is used, so that a
    constraint on one field leaves the others as they were."""
    drawn = {
        "shape": str(rng.choice(SHAPES)),
        "colour": str(rng.choice(list(COLOURS))),
        "background": str(rng.choice(list(BACKGROUNDS))),
        "action": str(rng.choice(list(ACTIONS), p=[0.76, 0.12, 0.06, 0.06])),
    }
    turn, still, pick = rng.random(3)
    drawn |= {k: str(v) for k, v in fixed.items() if k in drawn}
    if "direction" in fixed and "action" not in fixed:
        drawn["action"] = next((a for a, ds in ACTIONS.items() if fixed["direction"] in ds), drawn["action"])
    directions = ACTIONS.get(drawn["action"], ("",))
    drawn["direction"] = str(fixed.get("direction", directions[int(turn * len(directions))]))
    if "background" not in fixed and drawn["colour"] in COLOURS:
        names = [*BACKGROUNDS, *BACKGROUNDS]
        after = names[names.index(drawn["background"]) :]
        drawn["background"] = next(name for name in after if contrast(drawn["colour"], name) >= MIN_CONTRAST)
    cameras = [
        c for c in CAMERAS[1:] if not (c.startswith("pan") and drawn["direction"] in ("left", "right", "horizontally"))
    ]
    is_static = drawn["action"] in ("moves", "bounces") and still < 0.8
    drawn["camera"] = str(fixed.get("camera", "static" if is_static else cameras[int(pick * len(cameras))]))
    return drawn


def _sample_format(rng: np.random.Generator, fixed: dict) -> tuple[int, int, Fraction, int]:
    """(width, height, fps, num_frames): mostly square, 4.25 to 6 s."""
    width, height = [(192, 192), (256, 144), (144, 256)][int(rng.choice(3, p=[0.7, 0.15, 0.15]))]
    fps = Fraction(int(rng.choice([12, 16, 24], p=[0.4, 0.4, 0.2])))
    duration = float(rng.choice(np.arange(4.25, 6.01, 0.25)))
    fps = Fraction(fixed.get("fps", fps))
    duration = fixed.get("duration", duration)
    num_frames = int(fixed.get("num_frames", round(duration * fps)))
    return int(fixed.get("width", width)), int(fixed.get("height", height)), fps, num_frames


def _place(rng: np.random.Generator, scene: Scene) -> Scene:
    """The scene with a path that keeps the whole shape inside the frame at every moment, in spite of the camera."""
    zoom = ZOOM_FACTOR if scene.camera.startswith("zoom") else 1.0
    pan = PAN_TRAVEL / 2 if scene.camera.startswith("pan") else 0.0
    reach = scene.radius * EXTENT[scene.shape] + EDGE
    room = {
        "x": scene.width / scene.short_side / 2 / zoom - reach - pan,
        "y": scene.height / scene.short_side / 2 / zoom - reach,
    }
    if min(room.values()) < 0:
        raise ValueError(
            f"a {scene.shape} of radius {scene.radius} does not fit the frame under camera {scene.camera!r}"
        )
    axis = "" if not scene.direction else "x" if _AXES[scene.direction][0] else "y"
    jitter = {a: float(rng.uniform(-1, 1)) for a in ("x", "y")}
    share, crossings = float(rng.uniform(0.85, 1.0)), float(rng.uniform(2.6, 3.4))
    place = {a: jitter[a] * min(0.16, room[a]) for a in ("x", "y")}
    if not axis:
        return replace(scene, **place)
    travel = 2 * room[axis] * (share if scene.action == "moves" else 1.0)
    place[axis] = jitter[axis] * (room[axis] - travel / 2)
    return replace(scene, **place, travel=travel, crossings=crossings if scene.action == "bounces" else 1.0)
