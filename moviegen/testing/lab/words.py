"""Words for a take, and back; and lists of prompts, one kind a capability."""

import re
from dataclasses import dataclass
from itertools import product

import numpy as np

from moviegen.testing.captions import caption, parse_caption, prompts
from moviegen.testing.scene import ACTIONS, BACKGROUNDS, CAMERAS, COLOURS, SHAPES

from .letters import WORDS
from .takes import COUNTS, Take, backgrounds_for

NUMBERS = dict(zip(COUNTS, ("one", "two", "three", "four"), strict=True))

_SHAPE = rf"(?P<colour>{'|'.join(COLOURS)}) (?P<shape>{'|'.join(SHAPES)})"
_MANY = re.compile(rf"(?P<count>{'|'.join(NUMBERS.values())}) {_SHAPE}s?")
_ON = re.compile(rf"an? {_SHAPE} on (?P<background>{'|'.join(BACKGROUNDS)})")
_WRITTEN = re.compile(rf'an? {_SHAPE} above "(?P<word>[A-Z]+)"')
_PERSON = re.compile(rf"a person moves (?P<direction>{'|'.join(ACTIONS['moves'])})")


@dataclass(frozen=True)
class Wanted:
    """What a caption says; None where it says nothing of it."""

    family: str
    colour: str | None = None
    shape: str | None = None
    action: str | None = None
    direction: str | None = None
    camera: str | None = None
    count: int | None = None
    background: str | None = None
    word: str | None = None


def take_caption(take: Take) -> str:
    """What a take shows."""
    scene = take.scene
    what = f"{scene.colour} {scene.shape}"
    if take.family == "face":
        return f"a person moves {scene.direction}"
    if take.family == "count":
        return f"{NUMBERS[take.count]} {what}{'s' if take.count > 1 else ''}"
    if take.family == "background":
        return f"a {what} on {scene.background}"
    if take.family == "word":
        return f'a {what} above "{take.word}"'
    return caption(scene)


def parse_take(text: str) -> Wanted:
    """What a take's caption says; as far as it goes the inverse of `take_caption`. Raises ValueError on a text that is none."""
    if match := _PERSON.fullmatch(text):
        return Wanted("face", action="moves", direction=match["direction"])
    if match := _MANY.fullmatch(text):
        count = next(number for number, name in NUMBERS.items() if name == match["count"])
        return Wanted("count", match["colour"], match["shape"], count=count)
    if match := _ON.fullmatch(text):
        return Wanted("background", match["colour"], match["shape"], background=match["background"])
    if match := _WRITTEN.fullmatch(text):
        return Wanted("word", match["colour"], match["shape"], word=match["word"])
    said = parse_caption(text)
    family = "move" if said["action"] == "moves" else "camera"
    return Wanted(
        family, said["colour"], said["shape"], action=said["action"], direction=said["direction"], camera=said["camera"]
    )


def take_prompts(seed: int, num_prompts: int, family: str) -> list[str]:
    """Captions of a family, spread as evenly as their number allows: none twice before all have come once.

    Of `camera` every move as often as every other; `move` as in `captions.prompts`.
    """
    if family == "move":
        return prompts(seed, num_prompts)
    rng = np.random.default_rng(seed)
    groups = _every(family)
    chosen: list[str] = []
    queues = [[] for _ in groups]
    while len(chosen) < num_prompts:
        for queue, group in zip(queues, groups, strict=True):
            if not queue:
                queue += [group[i] for i in rng.permutation(len(group))]
            chosen.append(queue.pop())
    return chosen[:num_prompts]


def _every(family: str) -> list[list[str]]:
    """All captions of a family, one list for each answer that is asked for."""
    things = [f"{colour} {shape}" for colour, shape in product(COLOURS, SHAPES)]
    if family == "camera":
        said = {camera: "" if camera == "static" else f" while the camera {_moving(camera)}" for camera in CAMERAS}
        return [[f"a {thing} stays still{words}" for thing in things] for words in said.values()]
    if family == "count":
        return [[f"{name} {thing}{'s' if n > 1 else ''}" for thing in things] for n, name in NUMBERS.items()]
    if family == "background":
        shown = {name: [c for c in COLOURS if name in backgrounds_for(c)] for name in BACKGROUNDS}
        return [[f"a {c} {s} on {name}" for c, s in product(colours, SHAPES)] for name, colours in shown.items()]
    if family == "word":
        return [[f'a {thing} above "{word}"' for thing in things] for word in WORDS]
    if family == "face":
        return [[f"a person moves {direction}"] for direction in ACTIONS["moves"]]
    raise ValueError(f"no prompts of a family {family!r}")


def _moving(camera: str) -> str:
    """`zooms in` of `zoom in`."""
    verb, way = camera.split()
    return f"{verb}s {way}"
