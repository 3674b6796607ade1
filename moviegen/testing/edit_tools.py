"""Edits and masks of the toy world, exact by its own rule: whatever is saturated is the shape.

`module:Class` of these goes into `edits.editor` and `edits.segmenter` of a curation YAML, for lakes of toy-world clips.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .captions import parse_caption
from .drawing import shape_distance
from .scene import COLOURS, MIN_CONTRAST, Scene, contrast, opacity_at, position_at, view_at

RECOLOUR_WORDS = (
    "Make the {old} {shape} {new}.",
    "Recolour the {old} {shape} to {new}.",
    "Change the colour of the {shape} from {old} to {new}.",
    "Turn the {old} {shape} {new}.",
)


@dataclass(frozen=True)
class ToyEdit:
    """A change of pictures, with the words there and back."""

    name: str
    instruction: str
    reverse: str
    apply: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class RecolourEditor:
    """Gives the shape of the caption another colour."""

    def choose(self, caption: str, rng: np.random.Generator) -> ToyEdit | None:
        """The edit; None for a caption that is not of this world."""
        words = _words(caption)
        if words is None:
            return None
        old, shape = words["colour"], words["shape"]
        new = str(rng.choice([colour for colour in COLOURS if colour != old]))
        there, back = (RECOLOUR_WORDS[int(rng.integers(len(RECOLOUR_WORDS)))] for _ in range(2))
        return ToyEdit(
            f"{old}_to_{new}",
            there.format(old=old, shape=shape, new=new),
            back.format(old=new, shape=shape, new=old),
            lambda image: recolour(image, old, new),
        )


@dataclass(frozen=True)
class ShapeSegmenter:
    """Finds the shape."""

    def name_object(self, caption: str) -> str | None:
        """`the red circle`; None for a caption that is not of this world."""
        words = _words(caption)
        return None if words is None else f"the {words['colour']} {words['shape']}"

    def mask(self, frame: np.ndarray) -> np.ndarray:
        """(H, W) 0..1: half of a strong colour's saturation and more is the shape."""
        saturation = frame.max(axis=2).astype(np.int16) - frame.min(axis=2)
        return (saturation > 75).astype(np.float32)


def recolour(image: np.ndarray, old: str, new: str) -> np.ndarray:
    """The image with the shape's colour changed, its antialiased rim in proportion."""
    colour = np.array(COLOURS[old], np.float32)
    saturation = image.max(axis=2).astype(np.float32) - image.min(axis=2)
    share = (saturation / (colour.max() - colour.min())).clip(0, 1)
    share = np.where(share < 0.12, 0, share)[..., None]  # the background's own trace of colour
    return np.rint(image + share * (np.array(COLOURS[new], np.float32) - colour)).clip(0, 255).astype(np.uint8)


def true_mask(scene: Scene, u: float) -> np.ndarray:
    """(H, W) 0..1: how much of each pixel the shape covers at time u, from the scene alone."""
    view = view_at(scene, u)
    x, y = position_at(scene, u)
    pixels = scene.short_side * view.zoom
    centre = scene.width / 2 + (x - view.x) * pixels, scene.height / 2 + (y - view.y) * pixels
    columns = np.arange(scene.width, dtype=np.float32)[None, :] + 0.5 - centre[0]
    rows = np.arange(scene.height, dtype=np.float32)[:, None] + 0.5 - centre[1]
    return (0.5 - shape_distance(scene.shape, columns, rows, scene.radius * pixels)).clip(0, 1) * opacity_at(scene, u)


def edited_scene(scene: Scene, colour: str) -> Scene:
    """The scene with its shape in another colour: what an edit of it must look like. Raises ValueError where it would hardly be seen."""
    if contrast(colour, scene.background) < MIN_CONTRAST:
        raise ValueError(f"a {colour} shape hardly shows on {scene.background}")
    return replace(scene, colour=colour)


def _words(caption: str) -> dict[str, str] | None:
    try:
        return parse_caption(caption)
    except ValueError:
        return None
