"""Words for a scene, and back: `a red circle moves left while the camera pans right`."""

import re
from itertools import product

import numpy as np

from .scene import ACTIONS, COLOURS, SHAPES, Scene

_CAMERA_WORDS = {
    "zoom in": "zooms in",
    "zoom out": "zooms out",
    "pan left": "pans left",
    "pan right": "pans right",
}
_CAPTION = re.compile(
    rf"an? (?P<colour>{'|'.join(COLOURS)}) (?P<shape>{'|'.join(SHAPES)}) (?P<action>{'|'.join(ACTIONS)})"
    rf"(?: (?P<direction>{'|'.join(d for ds in ACTIONS.values() for d in ds if d)}))?"
    rf"(?: while the camera (?P<camera>{'|'.join(_CAMERA_WORDS.values())}))?"
)


def caption(scene: Scene) -> str:
    """What a scene shows; a still camera is not mentioned."""
    words = ["a", scene.colour, scene.shape, scene.action, scene.direction]
    if scene.camera != "static":
        words += ["while the camera", _CAMERA_WORDS[scene.camera]]
    return " ".join(word for word in words if word)


def parse_caption(text: str) -> dict[str, str]:
    """colour, shape, action, direction (may be empty) and camera of a caption; the inverse of `caption`.

    Raises ValueError on a text that is no caption of this world.
    """
    match = _CAPTION.fullmatch(text.strip())
    if match is None or (match["direction"] or "") not in ACTIONS[match["action"]]:
        raise ValueError(f"{text!r} is no caption of the toy world; one is 'a red circle moves left'")
    camera = {words: name for name, words in _CAMERA_WORDS.items()}.get(match["camera"], "static")
    return {
        "colour": match["colour"], "shape": match["shape"], "action": match["action"],
        "direction": match["direction"] or "", "camera": camera,
    }  # fmt: skip


def prompts(seed: int, num_prompts: int) -> list[str]:
    """Captions of moving shapes, colours, shapes and directions as evenly spread as their number allows.

    No prompt comes twice before all 96 have come once.
    """
    rng = np.random.default_rng(seed)
    every = list(product(COLOURS, SHAPES, ACTIONS["moves"]))
    chosen: list[tuple[str, str, str]] = []
    while len(chosen) < num_prompts:
        left = [every[i] for i in rng.permutation(len(every))]
        counts: dict[object, int] = {}
        while left and len(chosen) < num_prompts:
            best = min(left, key=lambda words: _crowding(words, counts))
            left.remove(best)
            chosen.append(best)
            for group in _groups(best):
                counts[group] = counts.get(group, 0) + 1
    return [f"a {colour} {shape} moves {direction}" for colour, shape, direction in chosen]


def _groups(words: tuple[str, str, str]) -> tuple[object, ...]:
    colour, shape, direction = words
    return colour, shape, direction, (colour, shape), (colour, direction), (shape, direction)


def _crowding(words: tuple[str, str, str], counts: dict[object, int]) -> tuple[int, int]:
    """How often its words have come already, singly first, then in pairs."""
    groups = [counts.get(group, 0) for group in _groups(words)]
    return sum(groups[:3]), sum(groups[3:])
