"""Edits of takes with exact targets, and whether a video is the one that an instruction asks for.

Every edited video is a render of an edited take, so there is a target for each pixel, and a mask of what changes.
"""

from dataclasses import dataclass, replace

import numpy as np

from moviegen.evaluation.pictures import decibels
from moviegen.testing.scene import COLOURS, SHAPES

from .pictures import STYLES, take_frames
from .takes import Take, backgrounds_for, sample_take

KINDS = ("recolour", "remove", "add", "background", "style")

SIDES = ("left", "right")

MIN_CHANGE = 8
"""8-bit levels by which a pixel must differ to belong to the mask."""

MAX_LEFT = 0.25
"""Of the squared difference between input and target, within the mask, what may be left for an edit to be done."""

MIN_PSNR_DB = 18.0
"""Of the mask against the target at least: where input and target are far apart, a quarter of the way would pass as noise does."""


@dataclass(frozen=True)
class Edit:
    """A take, what is asked for, and the take after it."""

    kind: str
    instruction: str
    before: Take
    after: Take


@dataclass(frozen=True)
class EditVerdict:
    """Whether an edit was done, and what it cost elsewhere."""

    is_done: bool
    """Nearer to its target than to any other edit of the same video, and most of the way there."""
    nearest: str
    """The instruction of the nearest of them; empty: the video as it was."""
    left: float
    """Squared difference from the target within the mask, as a share of that between input and target."""
    psnr_outside_db: float | None
    """Against the input, outside of the mask; None where everything was to change, as under a style."""


def sample_edit(seed: int | np.random.Generator, kind: str | None = None) -> Edit:
    """A random edit of a random take, of a kind where one is named."""
    rng = np.random.default_rng(seed)
    take = sample_take(rng, "move")
    kind = kind or str(rng.choice(KINDS))
    choices = [edit for edit in edits_of(take) if edit.kind == kind]
    return choices[int(rng.integers(len(choices)))]


def edits_of(take: Take) -> list[Edit]:
    """Every edit that a take of one moving shape can have."""
    scene = take.scene
    what = f"{scene.colour} {scene.shape}"
    found = [
        Edit("recolour", f"Make the {what} {colour}", take, replace(take, scene=replace(scene, colour=colour)))
        for colour in COLOURS
        if colour != scene.colour and scene.background in backgrounds_for(colour)
    ]
    found.append(Edit("remove", f"Remove the {what}", take, replace(take, is_empty=True)))
    found += [
        Edit("add", f"Add a {colour} {shape} on the {side}", take, replace(take, extra=(colour, shape, side)))
        for colour in COLOURS
        for shape in SHAPES[:2]
        for side in SIDES
        if scene.background in backgrounds_for(colour)
    ]
    found += [
        Edit("background", f"Make the background {name}", take, replace(take, scene=replace(scene, background=name)))
        for name in backgrounds_for(scene.colour)
        if name != scene.background
    ]
    return found + [Edit("style", f"Make it {style}", take, replace(take, style=style)) for style in STYLES]


def edit_mask(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(T, H, W) bool of two videos (T, H, W, 3) uint8: the pixels that change."""
    return np.abs(before.astype(np.int16) - after).max(-1) >= MIN_CHANGE


def judge_edit(edit: Edit, frames: np.ndarray) -> EditVerdict:
    """Compares (T, H, W, 3) uint8 frames with all that could have been made of the take, at their size and number."""
    before = frames_like(edit.before, frames)
    targets = {other.instruction: frames_like(other.after, frames) for other in edits_of(edit.before)}
    errors = {"": _squared(frames, before)} | {words: _squared(frames, other) for words, other in targets.items()}
    target = targets[edit.instruction]
    mask = edit_mask(before, target)
    left = _squared(frames[mask], target[mask]) / max(_squared(before[mask], target[mask]), 1e-9)
    nearest = min(errors, key=lambda words: errors[words])
    outside = None if edit.kind == "style" else psnr(frames[~mask], before[~mask])
    is_near = left <= MAX_LEFT and psnr(frames[mask], target[mask]) >= MIN_PSNR_DB
    return EditVerdict(nearest == edit.instruction and is_near, nearest, left, outside)


def frames_like(take: Take, frames: np.ndarray) -> np.ndarray:
    """The take's truth as many frames and as large as `frames` (T, H, W, 3). Raises ValueError where it is no whole fraction."""
    num, height, width, _ = frames.shape
    return shrink(take_frames(take, num), height, width)


def shrink(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    """(T, H, W, 3) uint8 averaged over whole blocks of pixels. Raises ValueError where they are no whole blocks."""
    rows, columns = frames.shape[1] // height, frames.shape[2] // width
    if (rows * height, columns * width) != frames.shape[1:3]:
        raise ValueError(f"frames of {frames.shape[2]}x{frames.shape[1]} do not divide into {width}x{height}")
    blocks = frames.reshape(len(frames), height, rows, width, columns, 3)
    return np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)


def chance_edit(takes: list[Take]) -> float:
    """Share that guessing among a take's edits gets right."""
    return float(np.mean([1 / (1 + len(edits_of(take))) for take in takes]))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Decibels of two arrays of 8-bit levels, over all of their values; 100 where they are the same."""
    return float(decibels(_squared(a, b)))


def _squared(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.square(a.astype(np.float32) - b).mean()) if a.size else 0.0
