"""The hard suite: videos full of what misleads a finder of cuts, generated from a seed, with the exact place of every transition.

One video a category. Between shots: hard cuts, dissolves, fades, dips, wipes, slides. Inside shots, where nothing is to be found: flashes,
whip pans, zoom bursts, strobes, shaking hands. Shots are procedural (`moviegen.testing.procedural`) or cut from footage that is handed in.
Our own suite: say so where its score is published, and publish that of a seed nothing was tuned on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from moviegen.media.write import encode_clip

from .procedural import Look, burst_view, film_shot, ordinary_view, sample_look, whip_view

SIZE = (320, 180)
FPS = Fraction(25)
SHOT_FRAMES = (32, 70)
"""Least and most frames of an ordinary shot, its transitions apart."""


@dataclass(frozen=True)
class TrueTransition:
    """Where one shot gives way to the next: exact by construction."""

    start: int
    """First frame that is no longer only the old shot; of a hard cut the first of the new one."""
    end: int
    """First frame that is only the new shot; equal to `start` for a hard cut."""
    kind: str
    """`cut`, `dissolve`, `fade` (to one colour and back), `wipe`, `slide`."""


@dataclass(frozen=True)
class HardVideo:
    """One video of the suite."""

    category: str
    frames: np.ndarray
    """(T, H, W, 3) uint8 RGB."""
    transitions: tuple[TrueTransition, ...]

    def write(self, path: Path, crf: int = 21) -> None:
        """Encodes it as H.264 in mp4 at `FPS`."""
        height, width = self.frames.shape[1:3]
        path.write_bytes(encode_clip(self.frames, FPS, width=width, height=height, crf=crf, preset="veryfast"))


FilmShot = Callable[[np.random.Generator, int], np.ndarray]
"""(generator, number of frames) -> a shot's frames (T, H, W, 3) uint8 RGB of SIZE."""


def procedural_source(**changes: object) -> FilmShot:
    """Procedural shots with a new look each, three in ten of which share the colours of the one before."""
    last: list[Look] = []

    def film(rng: np.random.Generator, num_frames: int) -> np.ndarray:
        like = last[-1] if last and rng.random() < 0.3 else None
        look = replace(sample_look(rng, like), **changes)
        last[:] = [look]
        return film_shot(rng, look, ordinary_view(rng, num_frames, look.camera, look.speed), SIZE)

    return film


def footage_source(runs: Sequence[np.ndarray], gain: float = 1.0) -> FilmShot:
    """Shots from runs of real footage without cuts, each (T, H, W, 3) uint8 RGB of SIZE: a random run, never one twice in succession."""
    last = [-1]

    def film(rng: np.random.Generator, num_frames: int) -> np.ndarray:
        fitting = [i for i, run in enumerate(runs) if len(run) >= num_frames and i != last[0]]
        if not fitting:
            longest = max(len(run) for run in runs)
            raise ValueError(f"footage: no two runs of {num_frames} frames, the longest has {longest}; hand in more")
        last[0] = int(rng.choice(fitting))
        start = int(rng.integers(0, len(runs[last[0]]) - num_frames + 1))
        frames = runs[last[0]][start : start + num_frames]
        return frames if gain == 1 else (frames * gain).astype(np.uint8)

    return film


Mix = Callable[[np.ndarray, np.ndarray, float], np.ndarray]
"""(old frame, new frame, share of the new one) -> frame; frames float32."""


def dissolve(old: np.ndarray, new: np.ndarray, share: float) -> np.ndarray:
    """A mixture."""
    return (1 - share) * old + share * new


def dip(colour: int) -> Mix:
    """Out to a colour and in again; a fifth of the time it is that colour alone."""

    def mix(old: np.ndarray, new: np.ndarray, share: float) -> np.ndarray:
        left = np.clip(abs(share - 0.5) / 0.4 - 0.25, 0, 1)
        return colour + left * ((old if share < 0.5 else new) - colour)

    return mix


def wipe(direction: str, softness: float = 0.0) -> Mix:
    """An edge that runs `left`, `right`, `up` or `down` over the picture, as soft as that share of the picture."""

    def mix(old: np.ndarray, new: np.ndarray, share: float) -> np.ndarray:
        length = old.shape[1] if direction in ("left", "right") else old.shape[0]
        place = (np.arange(length, dtype=np.float32) + 0.5) / length
        place = place[::-1] if direction in ("left", "up") else place
        edge = share * (1 + softness)
        weight = ((edge - place) / max(softness, 1 / length)).clip(0, 1)
        weight = weight[None, :, None] if direction in ("left", "right") else weight[:, None, None]
        return dissolve(old, new, weight)

    return mix


def slide(direction: str) -> Mix:
    """The new picture pushes the old one out to the `left`, `right`, `up` or `down`."""

    def mix(old: np.ndarray, new: np.ndarray, share: float) -> np.ndarray:
        axis = 1 if direction in ("left", "right") else 0
        length = old.shape[axis]
        offset = round(share * length)
        if direction in ("left", "up"):
            return np.take(np.concatenate([old, new], axis), np.arange(offset, offset + length), axis)
        return np.take(np.concatenate([new, old], axis), np.arange(length - offset, 2 * length - offset), axis)

    return mix


class _Edit:
    """A video that is put together shot by shot."""

    def __init__(self, rng: np.random.Generator, film: FilmShot) -> None:
        self._rng, self._film = rng, film
        self._pieces: list[np.ndarray] = []
        self._length = 0
        self._truth: list[TrueTransition] = []

    def shot(self, frames: np.ndarray | None = None, mix: Mix | None = None, over: int = 0, kind: str = "cut") -> None:
        """Appends a shot, an ordinary one when none is given, through `over` frames of `mix` with the shot before.

        The end of the shot before is used up by the transition: every shot is made as long as two transitions and more.
        """
        frames = self.ordinary(over) if frames is None else frames
        if not self._pieces:
            self._pieces, self._length = [frames], len(frames)
            return
        old = self._pieces[-1]
        start = self._length - over
        self._truth.append(TrueTransition(start, start + over, kind))
        if over:
            shares = (np.arange(over) + 1) / (over + 1)
            pairs = zip(old[-over:].astype(np.float32), frames[:over].astype(np.float32), shares, strict=True)
            between = np.stack([mix(a, b, float(share)).clip(0, 255) for a, b, share in pairs]).astype(np.uint8)
            self._pieces[-1] = old[:-over]
            self._pieces.append(between)
        self._pieces.append(frames[over:])
        self._length += len(frames) - over

    def ordinary(self, over: int = 0) -> np.ndarray:
        """An ordinary shot that leaves room for `over` frames at either end."""
        return self._film(self._rng, int(self._rng.integers(*SHOT_FRAMES)) + 2 * over)

    def done(self, category: str) -> HardVideo:
        """The video."""
        return HardVideo(category, np.concatenate(self._pieces), tuple(self._truth))


DIRECTIONS = ("left", "right", "up", "down")


def _gradual(edit: _Edit, mixes: Sequence[tuple[Mix, int, str]]) -> None:
    """Shots joined by the given (mix, frames, kind), one after the other."""
    most = max(over for _, over, _ in mixes)
    edit.shot(edit.ordinary(most))
    for mix, over, kind in mixes:
        edit.shot(edit.ordinary(most), mix, over, kind)


def _fades(rng: np.random.Generator, colour: int, shortest: int, longest: int) -> list[tuple[Mix, int, str]]:
    return [(dip(colour), int(rng.integers(shortest, longest)), "fade") for _ in range(5)]


def _with_flashes(rng: np.random.Generator, frames: np.ndarray) -> np.ndarray:
    """Two flashes of 1 to 3 frames: a white picture, or a burst of light in a part of it."""
    frames = frames.copy()
    for middle in (len(frames) // 3, 2 * len(frames) // 3):
        length, strength = int(rng.integers(1, 4)), float(rng.choice([0.5, 0.8, 1.0]))
        shape = frames.shape[1:3]
        x, y = np.meshgrid(np.linspace(-1, 1, shape[1]), np.linspace(-1, 1, shape[0]))
        reach = float(rng.choice([0.5, 1.0, 9.0]))
        light = strength * np.exp(-((x - rng.uniform(-0.5, 0.5)) ** 2 + (y - rng.uniform(-0.5, 0.5)) ** 2) / reach**2)
        for i in range(middle, middle + length):
            frames[i] = frames[i] + light[..., None] * (255 - frames[i].astype(np.float32))
    return frames


def _with_strobe(rng: np.random.Generator, frames: np.ndarray) -> np.ndarray:
    """Light that goes on and off every one to three frames for most of the shot."""
    frames = frames.astype(np.float32)
    every, low = int(rng.integers(1, 4)), float(rng.uniform(0.1, 0.5))
    dark = (np.arange(len(frames)) // every) % 2 == 1
    dark[:6] = dark[-6:] = False
    frames[dark] *= low
    return frames.astype(np.uint8)


def _filmed(rng: np.random.Generator, kind: str) -> np.ndarray:
    """A shot with a whip pan or a zoom burst in it; of a procedural place, since the camera has to be moved."""
    look = replace(sample_look(rng), num_things=0)
    num_frames, length = int(rng.integers(44, 60)), int(rng.integers(5, 13))
    start = int(rng.integers(16, num_frames - length - 14))
    if kind == "whip":
        travel = float(rng.uniform(1.5, 3.5) * rng.choice([-1, 1]))
        return film_shot(rng, look, whip_view(rng, num_frames, start, length, travel), SIZE, widths=6)
    zoom = float(rng.uniform(1.8, 3.0) ** rng.choice([-1, 1]))
    view = burst_view(rng, num_frames, start, length, zoom)
    return film_shot(rng, look, replace(view, zoom=view.zoom * (1.8 if zoom < 1 else 1)), SIZE)


def _still(rng: np.random.Generator, frames: np.ndarray) -> np.ndarray:
    """The shot frozen, or in slow motion by every frame shown two to four times."""
    times = int(rng.choice([2, 3, 4, len(frames)]))
    return np.repeat(frames, times, axis=0)[: len(frames)]


def make_video(category: str, seed: int, film: FilmShot | None = None) -> HardVideo:
    """The video of a category; the same seed and source of shots give the same frames."""
    if category not in CATEGORIES:
        raise ValueError(f"{category!r} is no category of the hard suite: {', '.join(CATEGORIES)}")
    rng = np.random.default_rng([seed, CATEGORIES.index(category)])
    edit = _Edit(rng, film or procedural_source())
    turns = [DIRECTIONS[i % 4] for i in rng.permutation(6)]
    if category.startswith("dissolve"):
        _gradual(edit, [(dissolve, int(category.split("_")[1]), "dissolve")] * 6)
    elif category == "fade":
        _gradual(edit, _fades(rng, 0, 20, 44))
    elif category == "dip_to_white":
        _gradual(edit, _fades(rng, 255, 10, 30))
    elif category == "wipe":
        softness = rng.choice([0.0, 0.0, 0.15], 6)
        lengths = rng.integers(10, 30, 6)
        _gradual(
            edit, [(wipe(way, float(s)), int(n), "wipe") for way, s, n in zip(turns, softness, lengths, strict=True)]
        )
    elif category == "slide":
        _gradual(edit, [(slide(way), int(rng.integers(10, 26)), "slide") for way in turns])
    elif category == "short":
        edit.shot()
        for _ in range(7):
            edit.shot(edit._film(rng, int(rng.integers(6, 13))))
        edit.shot()
    else:
        for _ in range(7 if category in ("plain", "dark", "still") else 5):
            edit.shot(_HARD_CUT_SHOTS[category](rng, edit))
    return edit.done(category)


def _dark(rng: np.random.Generator, edit: _Edit) -> np.ndarray:
    """A shot of mean luma 5 to 20."""
    frames = edit.ordinary().astype(np.float32)
    return (
        (frames * rng.uniform(6, 19) / max(1.0, float(frames[:: len(frames) // 4].mean())))
        .clip(0, 255)
        .astype(np.uint8)
    )


_HARD_CUT_SHOTS: dict[str, Callable[[np.random.Generator, _Edit], np.ndarray]] = {
    "plain": lambda rng, edit: edit.ordinary(),
    "dark": _dark,
    "still": lambda rng, edit: _still(rng, edit.ordinary()),
    "flash": lambda rng, edit: _with_flashes(rng, edit.ordinary()),
    "strobe": lambda rng, edit: _with_strobe(rng, edit.ordinary()),
    "whip_pan": lambda rng, edit: _filmed(rng, "whip"),
    "zoom_burst": lambda rng, edit: _filmed(rng, "zoom"),
    "hand_held": lambda rng, edit: procedural_source(camera="hand", speed=2.5, num_things=3)(
        rng, int(rng.integers(*SHOT_FRAMES))
    ),
}

CATEGORIES = (
    "dissolve_24", "dissolve_8", "fade", "dip_to_white", "wipe", "slide", "short",
    "plain", "dark", "still", "flash", "strobe", "whip_pan", "zoom_burst", "hand_held",
)  # fmt: skip


def make_suite(seed: int, film: FilmShot | None = None) -> Iterator[HardVideo]:
    """One video a category."""
    for category in CATEGORIES:
        yield make_video(category, seed, film)
