"""Takes: scenes of the toy world with what the products need besides, such as several shapes, a written word, a known face.

A take is of one family, which shows one thing at a time, so that a small model can learn it and an oracle can ask for it.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from moviegen.testing.scene import ACTIONS, BACKGROUNDS, CAMERAS, MIN_CONTRAST, Scene, contrast, sample_scene

from .faces import NUM_FACES
from .letters import WORDS

FAMILIES: dict[str, float] = {
    "move": 0.3,
    "camera": 0.34,
    "count": 0.1,
    "background": 0.1,
    "word": 0.1,
    "face": 0.06,
}
"""Family -> its share of the raw films for text to image and video: the more, the harder it was to learn (camera, then moves)."""

COUNTS = (1, 2, 3, 4)

SIDE = 64
"""Pixels of a raw film; models are trained at half of it, the upsampler from half to it."""

FPS, NUM_FRAMES = Fraction(4), 16

FLOOR = 1
"""Seed of the floor's tiles and blotches. All takes stand on the same one: a small model that had to draw a new floor for each spent
most of what it learnt on what no caption says. `sample_take(..., floor=...)` lays another, as for the upsampler, which sees it."""

GRID: dict[int, tuple[tuple[float, float], ...]] = {
    1: ((0.0, 0.0),),
    2: ((-0.24, 0.0), (0.24, 0.0)),
    3: ((-0.24, 0.22), (0.24, 0.22), (0.0, -0.22)),
    4: ((-0.24, -0.24), (0.24, -0.24), (-0.24, 0.24), (0.24, 0.24)),
}
"""Count -> middles of the shapes, short sides right of and below the frame's middle."""

GRID_RADIUS = 0.15
FACE_RADIUS = 0.24
"""Of a face, a square as of this radius."""


@dataclass(frozen=True)
class Take:
    """A scene, and what the laboratory adds to it."""

    scene: Scene
    family: str
    count: int = 1
    """Shapes side by side."""
    word: str = ""
    """Written below the shape."""
    face: int | None = None
    """Number of the face shown in place of the shape."""
    extra: tuple[str, str, str] | None = None
    """Colour, shape and side (`left` or `right`) of a small second shape."""
    is_empty: bool = False
    """Nothing but the background."""
    style: str = ""
    """A change of all colours: one of `pictures.STYLES`."""


def sample_take(
    seed: int | np.random.Generator,
    family: str | None = None,
    *,
    face: int | None = None,
    floor: int = FLOOR,
    **constraints: object,
) -> Take:
    """A random take, of a family where one is named; `constraints` are those of `sample_scene`."""
    rng = np.random.default_rng(seed)
    drawn = str(rng.choice(list(FAMILIES), p=list(FAMILIES.values())))
    family = family or drawn
    if family not in FAMILIES:
        raise ValueError(f"no family {family!r}; one of {', '.join(FAMILIES)}")
    count, word, person = int(rng.choice(COUNTS)), str(rng.choice(WORDS)), int(rng.integers(NUM_FACES))
    fixed = _of_family(rng, family, count) | constraints
    fixed = {"width": SIDE, "height": SIDE, "fps": FPS, "num_frames": NUM_FRAMES} | fixed
    scene = replace(_with_background(sample_scene(rng, **fixed), rng, fixed), seed=floor)
    if family == "face":
        return Take(scene, family, face=person if face is None else face)
    return Take(scene, family, count if family == "count" else 1, word if family == "word" else "")


def sample_large(rng: np.random.Generator, width: int = 2 * SIDE, height: int = 2 * SIDE) -> Take:
    """A random take on a floor of its own: what the upsampler makes larger, it sees."""
    return sample_take(rng, width=width, height=height, floor=int(rng.integers(2**31)))


def _of_family(rng: np.random.Generator, family: str, count: int) -> dict[str, object]:
    """What the scenes of a family have in common."""
    radius = float(rng.uniform(0.19, 0.23))
    camera = str(rng.choice(CAMERAS))
    still: dict[str, object] = {"action": "stays still", "camera": "static", "radius": radius}
    if family == "move":
        return {"action": "moves", "direction": str(rng.choice(ACTIONS["moves"])), "camera": "static", "radius": radius}
    if family == "face":
        return {"action": "moves", "camera": "static", "radius": FACE_RADIUS, "shape": "square"}
    if family == "camera":
        return still | {"camera": camera, "radius": 0.19}
    if family == "count":
        x, y = GRID[count][0]
        return still | {"radius": GRID_RADIUS, "x": x, "y": y}
    return still | ({"radius": 0.18, "x": 0.0, "y": -0.12} if family == "word" else {})


def _with_background(scene: Scene, rng: np.random.Generator, fixed: dict) -> Scene:
    """Every background as often as every other, among those that a colour shows on."""
    if "background" in fixed:
        return scene
    return replace(scene, background=str(rng.choice(backgrounds_for(scene.colour))))


def backgrounds_for(colour: str) -> list[str]:
    """Backgrounds on which a colour shows."""
    return [name for name in BACKGROUNDS if contrast(colour, name) >= MIN_CONTRAST]


def sample_takes(seed: int, number: int, family: str | None = None, **constraints: object) -> list[Take]:
    """`number` takes, each from a seed of its own."""
    return [sample_take(np.random.default_rng([seed, i]), family, **constraints) for i in range(number)]
