"""What a small video shows of the laboratory's questions: camera, count, background, written word. No learned part.

Colour, shape and direction are `moviegen.testing.oracle`'s. Letters: T frames, H rows, W columns.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from moviegen.testing.oracle import Reading, read_video
from moviegen.testing.scene import ACTIONS, BACKGROUNDS, CAMERAS, COLOURS, PAN_TRAVEL, SHAPES, ZOOM_FACTOR
from moviegen.testing.tracking import MIN_COLOUR, grow, largest_patch, opponent_colour

from .letters import GLYPHS, LETTER_PITCH, SQUARE, WORD_X, WORD_Y, WORDS
from .motion import camera_path
from .takes import COUNTS
from .words import Wanted, parse_take

CHANCE: dict[str, float] = {
    "colour": 1 / len(COLOURS), "shape": 1 / len(SHAPES), "direction": 1 / len(ACTIONS["moves"]), "camera": 1 / len(CAMERAS),
    "count": 1 / len(COUNTS), "background": 1 / len(BACKGROUNDS), "word": 1 / len(WORDS),
}  # fmt: skip
"""Question -> share that guessing gets right."""

WORD_SIDE = 32
"""Pixels of the short side at which words are read: a letter's square is a pixel."""

WORD_SHIFT = 2
"""Pixels at that size by which a word may lie off its place."""

MIN_PART = 0.3
"""Area of a counted shape against that of the largest."""


def read_camera(frames: np.ndarray) -> str:
    """Which of CAMERAS the background's motion shows, over (T, H, W, 3) uint8 frames: the nearest in pan and zoom."""
    shift, zoom = camera_path(frames, coloured(frames))
    share = (len(frames) - 1) / len(frames)
    seen = np.array([-shift[0] / PAN_TRAVEL, zoom / np.log(ZOOM_FACTOR)]) / max(share, 1e-9)
    places = {"static": (0, 0), "pan left": (-1, 0), "pan right": (1, 0), "zoom in": (0, 1), "zoom out": (0, -1)}
    return min(places, key=lambda name: float(np.linalg.norm(seen - places[name])))


def coloured(frames: np.ndarray) -> np.ndarray:
    """(T, H, W) bool: pixels that are not grey, and those beside them."""
    strength = colour_strength(frames)
    return np.stack([grow(each) for each in strength >= MIN_COLOUR])


def colour_strength(frames: np.ndarray) -> np.ndarray:
    """(T, H, W) distance of each pixel's colour from the background's, brightness apart."""
    colours = opponent_colour(frames.astype(np.float32))
    return np.linalg.norm(colours - np.median(colours, axis=(1, 2), keepdims=True), axis=-1)


def read_count(frames: np.ndarray) -> int:
    """How many coloured things there are: of all frames the usual number."""
    numbers = [_count_parts(each) for each in colour_strength(frames)]
    return int(np.bincount(numbers).argmax())


def _count_parts(strength: np.ndarray) -> int:
    level = max(MIN_COLOUR, 0.5 * float(np.percentile(strength, 98)))
    rest, areas = strength >= level, []
    while rest.any() and len(areas) < 12:
        patch = largest_patch(rest)
        areas.append(int(patch.sum()))
        rest = rest & ~patch
    return sum(area >= MIN_PART * areas[0] for area in areas)


def read_background(frames: np.ndarray) -> str:
    """Which of BACKGROUNDS the grey of what is not coloured is nearest to; tiles are as bright as dark in the mean."""
    grey = frames.astype(np.float32).mean(-1)[~coloured(frames)]
    if not len(grey):
        return ""
    low, high = np.percentile(grey, (5, 95))
    level = float(grey[(grey >= low) & (grey <= high)].mean())
    return min(BACKGROUNDS, key=lambda name: abs(level - float(np.mean(BACKGROUNDS[name]))))


def read_word(frames: np.ndarray, num_letters: int = 3) -> str:
    """The letters at the word's place, each the one whose squares agree best, over all small shifts of the whole word."""
    grey = _at_side(frames.astype(np.float32).mean(axis=(0, -1)), WORD_SIDE)
    top = round(grey.shape[0] / 2 + WORD_Y / SQUARE - 3.5)
    left = round(grey.shape[1] / 2 + WORD_X / SQUARE - (LETTER_PITCH * num_letters - 1) / 2)
    best: tuple[float, str] = (-1.0, "")
    for dy in range(-WORD_SHIFT, WORD_SHIFT + 1):
        for dx in range(-WORD_SHIFT, WORD_SHIFT + 1):
            places = [left + dx + LETTER_PITCH * i for i in range(num_letters)]
            cells = [grey[top + dy : top + dy + 7, place : place + 5] for place in places]
            if any(cell.shape != (7, 5) for cell in cells):
                continue
            for ink in (1, -1):
                scores = [{letter: ink * _agreement(cell, glyph) for letter, glyph in GLYPHS.items()} for cell in cells]
                letters = [max(score, key=lambda letter: score[letter]) for score in scores]
                total = sum(score[letter] for score, letter in zip(scores, letters, strict=True))
                best = max(best, (total, "".join(letters)))
    return best[1]


def _at_side(grey: np.ndarray, side: int) -> np.ndarray:
    """(H, W) averaged over blocks of pixels, or each repeated, to a short side of `side`. Raises ValueError when it does not divide."""
    short = min(grey.shape)
    if short % side == 0:
        step = short // side
        height, width = (n // step for n in grey.shape)
        return grey[: height * step, : width * step].reshape(height, step, width, step).mean(axis=(1, 3))
    if side % short == 0:
        return grey.repeat(side // short, 0).repeat(side // short, 1)
    raise ValueError(f"frames are {short} px high or wide, wanted a multiple or a divisor of {side}")


def _agreement(cell: np.ndarray, glyph: np.ndarray) -> float:
    """Correlation of what is seen with a letter's squares, -1..1."""
    a, b = cell - cell.mean(), glyph - glyph.mean()
    return float((a * b).sum() / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-6))


@dataclass(frozen=True)
class Verdict:
    """Which of the questions that a prompt asks a video answers rightly."""

    prompt: str
    answers: dict[str, bool]
    """By the names of CHANCE; those alone that were asked."""
    reading: Reading


def judge_take(prompt: str, frames: np.ndarray) -> Verdict:
    """Compares (T, H, W, 3) uint8 frames with a take's caption. A picture, of one frame, is not asked for motion. Raises ValueError
    on any other prompt."""
    wanted, reading = parse_take(prompt), read_video(frames)
    answers: dict[str, bool] = {}
    if wanted.colour is not None:
        answers["colour"] = reading.colour == wanted.colour
        if wanted.family != "count":  # of several shapes the largest patch is one of them, small
            answers["shape"] = reading.shape == wanted.shape
    if len(frames) > 1 and wanted.family in ("move", "face"):
        answers["direction"] = (reading.action, reading.direction) == (wanted.action, wanted.direction)
    for name, read in _asked(wanted, len(frames) > 1).items():
        answers[name] = read(frames) == getattr(wanted, name)
    return Verdict(prompt, answers, reading)


def _asked(wanted: Wanted, is_video: bool) -> dict[str, Callable[[np.ndarray], object]]:
    """What a family is asked beside colour, shape and direction."""
    if wanted.family == "camera" and is_video:
        return {"camera": read_camera}
    reads: dict[str, dict[str, Callable[[np.ndarray], object]]] = {
        "count": {"count": read_count}, "background": {"background": read_background}, "word": {"word": read_word},
    }  # fmt: skip
    return reads.get(wanted.family, {})
