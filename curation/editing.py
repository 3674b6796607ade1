"""Editing data [S §5.1.3-5.1.4]: an input video, an instruction, the video after it. Pure; `H W` rows and columns, `T` frames.

- *Animated frame editing* [S Alg. 1]: a frame and its edit, moved by the same affine walk. The paper edits with its Stage I model; any
  `Editor` stands in, and the default makes edits that are exact by construction.
- *Segmentation*: the object's mask laid over the real video in a named colour.
- *Backtranslation*: the edited video is the input, the instruction is the way back, the target is the real clip.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, get_args

import numpy as np

from curation.edit_words import MARK_WORDS, draw_words
from moviegen.contracts.clip import hash_id
from moviegen.contracts.sets import EditTask
from moviegen.contracts.shard import check_name


@dataclass(frozen=True)
class MoveConfig:
    """How far a walk goes. The paper does not say [NR]; all of it is our decision. Bounds are of one step and of the whole walk."""

    turn_deg: float = 2.0
    scale: float = 0.02
    shift: float = 0.02
    """Shares of the shorter side."""
    shear_deg: float = 1.0
    num_total_steps: float = 5.0
    """The walk stays within this many steps of where it began, in each of the four."""
    smooth_frames: int = 8
    """Frames between two draws of the direction: less is a shake, not a camera."""

    def __post_init__(self) -> None:
        if min(self.turn_deg, self.scale, self.shift, self.shear_deg) < 0 or self.smooth_frames < 1:
            raise ValueError("edits.moves: bounds are at least 0 and smooth_frames at least 1")


@dataclass(frozen=True)
class EditsConfig:
    """What goes into the editing set."""

    tasks: tuple[str, ...] = get_args(EditTask)
    """Of `animate`, `segment`, `backtranslate`: a sample of each a clip, where it can be made."""
    editor: str = "photo"
    """Who edits: `photo`, exact photographic edits of the whole picture, or your own `module:Class` with `choose(caption, rng)`."""
    editor_params: dict = field(default_factory=dict)
    """Its parameters."""
    segmenter: str = ""
    """Who finds an object: `torchscript` (with weights and object), or your own `module:Class`; none: no segmentation samples."""
    segmenter_params: dict = field(default_factory=dict)
    """Its parameters."""
    moves: MoveConfig = field(default_factory=MoveConfig)
    """The walk of animated frames."""
    num_frames: int = 32
    """Frames of an animated pair."""
    max_frames: int = 128
    """Frames of the other samples at most, from the clip's beginning."""
    short_side_px: int = 384
    """Shorter side at most."""
    min_mask_fraction: float = 0.005
    """An object that covers less of the picture, mean over the frames, is not marked."""
    max_mask_fraction: float = 0.8
    """Nor one that covers more."""
    seed: int = 0
    """Another seed draws other edits, moves and colours."""
    subset: str = "edits"
    """Name of the set."""

    def __post_init__(self) -> None:
        check_name("edits.subset", self.subset)
        if odd := sorted(set(self.tasks) - set(get_args(EditTask))):
            raise ValueError(f"edits.tasks: {odd[0]!r} is not one of {', '.join(get_args(EditTask))}")
        if min(self.num_frames, self.max_frames) < 1 or self.short_side_px < 16:
            raise ValueError("edits: num_frames and max_frames are at least 1, short_side_px at least 16")


class Edit(Protocol):
    """A change of pictures, with its words."""

    name: str
    instruction: str
    """What to do to the picture."""
    reverse: str
    """What to do to the edited picture to get the first one back."""
    apply: Callable[[np.ndarray], np.ndarray]
    """(H, W, 3) uint8 RGB -> the same size, edited; the same for the same picture."""


class Editor(Protocol):
    """Chooses an edit for a clip; a frozen dataclass, its fields are its parameters."""

    def choose(self, caption: str, rng: np.random.Generator) -> Edit | None:
        """The edit; None where it has none for this clip."""


class Segmenter(Protocol):
    """Finds one object in pictures; a frozen dataclass, its fields are its parameters."""

    def name_object(self, caption: str) -> str | None:
        """The object, with its article: `the red circle`; None where there is none in this clip."""

    def mask(self, frame: np.ndarray) -> np.ndarray:
        """(H, W) 0..1 of (H, W, 3) uint8 RGB: how much of each pixel is the object."""


def draw_for(config: EditsConfig, clip_id: str, task: str) -> np.random.Generator:
    """The generator of a clip's task: the same on every machine and in any order."""
    return np.random.default_rng(int(hash_id("edits", config.seed, clip_id, task), 16))


def random_walk(rng: np.random.Generator, num_frames: int, config: MoveConfig) -> np.ndarray:
    """(T, 3, 3) affine maps about the middle, in short sides; the first is the identity, each a small step from the one before."""
    bounds = np.array([config.turn_deg, config.scale, config.shift, config.shift, config.shear_deg])
    steps = _smooth_steps(rng, num_frames, len(bounds), config.smooth_frames) * bounds
    place, maps = np.zeros(len(bounds)), []
    limit = config.num_total_steps * bounds
    for step in steps:
        place = place + np.where(np.abs(place + step) > limit, -step, step)  # turned back at its bound
        maps.append(_affine(*place))
    return np.stack([np.eye(3), *maps])[:num_frames]


def _smooth_steps(rng: np.random.Generator, num_frames: int, num_values: int, every: int) -> np.ndarray:
    """(T - 1, values) in -1..1, drawn anew every few frames and straight between."""
    at = np.arange(max(0, num_frames - 1)) / every
    drawn = rng.uniform(-1, 1, (math.ceil(num_frames / every) + 2, num_values))
    low = at.astype(int)
    share = (at - low)[:, None]
    return drawn[low] * (1 - share) + drawn[low + 1] * share


def _affine(turn_deg: float, scale: float, right: float, down: float, shear_deg: float) -> np.ndarray:
    turn, shear, size = math.radians(turn_deg), math.tan(math.radians(shear_deg)), math.exp(scale)
    turned = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    matrix = np.eye(3)
    matrix[:2, :2] = size * turned @ np.array([[1, shear], [0, 1]])
    matrix[:2, 2] = right, down
    return matrix


def least_zoom(maps: np.ndarray, width: int, height: int) -> float:
    """The smallest magnification, from 1 on in steps of 1%, at which no map shows anything beyond the picture's edge."""
    half = np.array([width, height]) / 2 / min(width, height)
    corners = np.array([[x, y, 1] for x in (-half[0], half[0]) for y in (-half[1], half[1])]).T
    zoom = 1.0
    while True:
        shown = np.linalg.inv(maps) @ np.diag([1 / zoom, 1 / zoom, 1]) @ corners
        if (np.abs(shown[:, :2]) <= half[None, :, None] + 1e-9).all() or zoom > 3:
            return zoom
        zoom *= 1.01


def animate(image: np.ndarray, maps: np.ndarray, zoom: float, size: tuple[int, int]) -> list[np.ndarray]:
    """The picture (H, W, 3) moved by each of (T, 3, 3) maps, as frames of `size` (width, height).

    Each is resampled from the picture itself, so nothing blurs with time [DEC]; nothing is made up beyond its edge where `zoom` is
    `least_zoom`.
    """
    import cv2

    width, height = size
    scale = min(1.0, zoom * width / image.shape[1])
    small = cv2.resize(
        image, (round(image.shape[1] * scale), round(image.shape[0] * scale)), interpolation=cv2.INTER_AREA
    )
    to_small = _centred(small.shape[1], small.shape[0])
    to_output = _centred(width, height)
    frames = []
    for matrix in np.linalg.inv(maps) @ np.diag([1 / zoom, 1 / zoom, 1]):
        source = (to_small @ matrix @ np.linalg.inv(to_output))[:2]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        frames.append(cv2.warpAffine(small, source, size, flags=flags, borderMode=cv2.BORDER_REFLECT_101))
    return frames


def _centred(width: int, height: int) -> np.ndarray:
    """Short sides from the middle -> pixels, whose centres are whole numbers."""
    side = min(width, height)
    return np.array([[side, 0, (width - 1) / 2], [0, side, (height - 1) / 2], [0, 0, 1]], np.float64)


MARK_COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (230, 25, 25), "green": (30, 180, 50), "blue": (30, 70, 230), "yellow": (250, 225, 20), "cyan": (20, 210, 220),
    "magenta": (230, 30, 200), "orange": (250, 140, 15), "purple": (130, 40, 190), "white": (255, 255, 255), "black": (0, 0, 0),
}  # fmt: skip
"""Ten named colours; the paper's are not reported [NR], our decision."""

MIN_ALPHA = 0.75
"""A mask covers what is under it by this much to wholly: our decision."""


@dataclass(frozen=True)
class Mark:
    """How an object is marked."""

    colour: str
    alpha: float
    words: str = MARK_WORDS[0]

    def instruction(self, name: str) -> str:
        """The words: `Mark the dog in blue.`"""
        return self.words.format(object=name, colour=self.colour)


def choose_mark(caption: str, rng: np.random.Generator) -> Mark:
    """A colour that the caption does not name, solid half of the time, else of 0.5 to 1 opacity; and words to ask for it."""
    words = set(caption.lower().split())
    colours = [colour for colour in MARK_COLOURS if colour not in words]
    colour, is_solid, alpha = str(rng.choice(colours)), rng.random() < 0.5, float(rng.uniform(MIN_ALPHA, 1))
    return Mark(colour, 1.0 if is_solid else alpha, draw_words(MARK_WORDS, rng))


def lay_over(frame: np.ndarray, mask: np.ndarray, mark: Mark) -> np.ndarray:
    """The frame (H, W, 3) with a mask (H, W) in 0..1 in the mark's colour."""
    share = (np.asarray(mask, np.float32) * mark.alpha)[..., None]
    return np.rint(frame * (1 - share) + np.float32(MARK_COLOURS[mark.colour]) * share).astype(np.uint8)


def load_tool(kind: str, name: str, table: dict[str, str], params: dict) -> Any:
    """The editor or segmenter of a name or `module:Class`, with its parameters set. Raises UsageError."""
    from curation.detectors import build, load_class

    return build(kind, name, load_class(kind, name, table), params)


EDITORS = {"photo": "curation.edit_tools:PhotoEditor"}
SEGMENTERS = {"torchscript": "curation.edit_tools:TorchScriptSegmenter"}
"""Name in YAML -> `module:Class`."""
