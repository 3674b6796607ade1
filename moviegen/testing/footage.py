"""Kinds of toy-world videos: good ones, and good ones with one fault each. What is wrong with them is known exactly."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain

import numpy as np

from .captions import caption
from .drawing import render, render_frame
from .scene import MIN_CONTRAST, Scene, contrast, sample_scene
from .sound import render_audio

SAMPLE_RATE = 16000
"""Enough for clicks and soft tones; at 48 kHz the sound would cost twice what the picture does to encode."""

TEXTS = ("BREAKING", "SALE 50%", "SUBSCRIBE", "LIVE NEWS", "TOP TEN", "WATCH NOW")
"""What is burnt in: words a recogniser knows, capitals large enough for the frame."""


@dataclass(frozen=True)
class Footage:
    """A video before it is encoded, with its truth."""

    frames: Iterable[np.ndarray] = field(repr=False)
    """(H, W, 3) uint8 RGB, to be read once."""
    fps: Fraction
    width: int
    height: int
    audio: np.ndarray | None = field(repr=False)
    """(1, N) float32 at SAMPLE_RATE, or None for a silent file."""
    scenes: tuple[Scene, ...]
    """Its shots, in order."""
    borders: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Black rows and columns: top, bottom, left, right."""
    text: str = ""
    """What is burnt in."""
    cuts: tuple[int, ...] | None = None
    """First frame of each shot but the first; None: as the scenes follow each other."""
    words: str | None = None
    """The caption; None: that of the scenes."""

    @property
    def caption(self) -> str:
        """What it shows."""
        return caption(self.scenes[0]) if self.words is None else self.words

    @property
    def num_frames(self) -> int:
        """Frames in the file."""
        return sum(scene.num_frames for scene in self.scenes)

    @property
    def cuts_frames(self) -> tuple[int, ...]:
        """First frame of each shot but the first."""
        if self.cuts is not None:
            return self.cuts
        ends = np.cumsum([scene.num_frames for scene in self.scenes])
        return tuple(int(end) for end in ends[:-1])


@dataclass(frozen=True)
class Kind:
    """A kind of video: how it is made, and what curation should say of it."""

    make: Callable[[np.random.Generator], Footage]
    expected: str
    """`accepted`, `rejected`, `failed`, `duplicate`, or `any` where no answer is wrong."""
    caught_by: tuple[str, ...] = ()
    """Operations or detectors that may rightly be the one to reject it; `split`: it leaves no clip of 4 s."""


def _show(scenes: list[Scene], rng: np.random.Generator, **truth: object) -> Footage:
    """The scenes one after another, with sound in five of six."""
    first = scenes[0]
    is_silent = rng.random() < 1 / 6
    audio = None if is_silent else np.concatenate([render_audio(s, SAMPLE_RATE) for s in scenes], axis=1)
    frames = chain.from_iterable(render(scene) for scene in scenes)
    return Footage(frames, first.fps, first.width, first.height, audio, tuple(scenes), **truth)


def make_good(rng: np.random.Generator) -> Footage:
    """One scene."""
    return _show([sample_scene(rng)], rng)


def make_cuts(rng: np.random.Generator) -> Footage:
    """Two or three scenes of one caption before different backgrounds: hard cuts at known frames, each shot a good clip."""
    return _show(_same_caption(rng, int(rng.integers(2, 4))), rng)


def _same_caption(rng: np.random.Generator, num_scenes: int, **constraints: object) -> list[Scene]:
    """Scenes that share words and format, and differ in place and size; backgrounds are dark and light in turn."""
    first = sample_scene(rng, **constraints)
    shared = ("shape", "colour", "action", "direction", "camera", "width", "height", "fps")
    fixed = constraints | {name: getattr(first, name) for name in shared}
    dark = [name for name in ("charcoal", "slate") if contrast(first.colour, name) >= MIN_CONTRAST]
    light = [name for name in ("silver", "ivory") if contrast(first.colour, name) >= MIN_CONTRAST]
    turns = [dark, light] if rng.random() < 0.5 else [light, dark]
    backgrounds = [str(rng.choice(turns[i % 2])) for i in range(num_scenes)]
    scenes = [sample_scene(rng, **fixed, background=background) for background in backgrounds]
    assert len({caption(scene) for scene in scenes}) == 1
    return scenes


def make_letterbox(rng: np.random.Generator) -> Footage:
    """Black rows above and below."""
    rows = int(rng.integers(20, 33))
    return _with_borders(_show([sample_scene(rng, width=192, height=192 - 2 * rows)], rng), (rows, rows, 0, 0))


def make_pillarbox(rng: np.random.Generator) -> Footage:
    """Black columns at both sides."""
    columns = int(rng.integers(32, 53))
    return _with_borders(_show([sample_scene(rng, width=256 - 2 * columns, height=144)], rng), (0, 0, columns, columns))


def _with_borders(footage: Footage, borders: tuple[int, int, int, int]) -> Footage:
    top, bottom, left, right = borders
    frames = (np.pad(frame, ((top, bottom), (left, right), (0, 0))) for frame in footage.frames)
    width, height = footage.width + left + right, footage.height + top + bottom
    return replace(footage, frames=frames, width=width, height=height, borders=borders)


def make_text(rng: np.random.Generator) -> Footage:
    """A word in white capitals over the picture, all the time."""
    text = str(rng.choice(TEXTS))
    footage = _show([sample_scene(rng, width=320, height=180)], rng)
    return replace(footage, frames=_burn_in(footage.frames, text, 40 if rng.random() < 0.5 else 160), text=text)


def _burn_in(frames: Iterable[np.ndarray], text: str, baseline: int) -> Iterator[np.ndarray]:
    import cv2

    for frame in frames:
        picture = np.ascontiguousarray(frame)
        for colour, thickness in (((0, 0, 0), 9), ((255, 255, 255), 3)):
            cv2.putText(picture, text, (24, baseline), cv2.FONT_HERSHEY_SIMPLEX, 1.3, colour, thickness, cv2.LINE_AA)
        yield picture


def make_static(rng: np.random.Generator) -> Footage:
    """Nothing moves at all."""
    return _show([sample_scene(rng, action="stays still", camera="static")], rng)


def make_small(rng: np.random.Generator) -> Footage:
    """64 x 64 pixels."""
    return _show([sample_scene(rng, width=64, height=64)], rng)


def make_short(rng: np.random.Generator) -> Footage:
    """Under four seconds."""
    return _show([sample_scene(rng, duration=float(rng.uniform(1.5, 3.5)))], rng)


def make_jitter(rng: np.random.Generator) -> Footage:
    """Two scenes in turn, a cut every few frames."""
    first, second = _same_caption(rng, 2, fps=24, duration=5)
    cuts = np.cumsum(rng.integers(5, 11, size=200))
    cuts = cuts[cuts < first.num_frames - 4]
    turn = np.searchsorted(cuts, np.arange(first.num_frames), side="right") % 2
    frames = (pair[which] for pair, which in zip(zip(render(first), render(second), strict=True), turn, strict=True))
    return replace(_show([first], rng), frames=frames, cuts=tuple(int(cut) for cut in cuts))


def make_shake(rng: np.random.Generator) -> Footage:
    """A hand that cannot hold the camera: every frame is thrown by up to an eighth of the width."""
    scene = sample_scene(rng, width=240, height=240, fps=24)
    places = rng.integers(0, 49, size=(scene.num_frames, 2))
    frames = (frame[y : y + 192, x : x + 192] for frame, (x, y) in zip(render(scene), places, strict=True))
    return replace(_show([scene], rng), frames=frames, width=192, height=192)


def make_slideshow(rng: np.random.Generator) -> Footage:
    """Three stills, each long enough to be a clip."""
    scenes = _same_caption(rng, 3, action="stays still", camera="static", duration=4.5)
    frames = chain.from_iterable([render_frame(scene, 0)] * scene.num_frames for scene in scenes)
    return replace(_show(scenes, rng), frames=frames)


def make_black(rng: np.random.Generator) -> Footage:
    """Black and silent; the faintest grain makes no two such files the same bytes."""
    scene = sample_scene(rng)
    picture = np.repeat(rng.integers(0, 5, size=(scene.height, scene.width, 1), dtype=np.uint8), 3, axis=2)
    frames = (picture for _ in range(scene.num_frames))
    return replace(_show([scene], rng), frames=frames, audio=None, words="a black picture")


GOOD: dict[str, Kind] = {
    "good": Kind(make_good, "accepted"),
    "cuts": Kind(make_cuts, "accepted"),
}
"""What curation must keep."""

FAULTS: dict[str, Kind] = {
    "letterbox": Kind(make_letterbox, "rejected", ("borders",)),
    "pillarbox": Kind(make_pillarbox, "rejected", ("borders",)),
    "text": Kind(make_text, "rejected", ("ocr",)),
    "static": Kind(make_static, "rejected", ("motion",)),
    "small": Kind(make_small, "rejected", ("probe",)),
    "short": Kind(make_short, "rejected", ("split",)),
    "jitter": Kind(make_jitter, "rejected", ("split", "jitter", "motion")),
    "shake": Kind(make_shake, "rejected", ("split", "jitter", "motion")),
    "slideshow": Kind(make_slideshow, "rejected", ("split", "motion")),
    "black": Kind(make_black, "rejected", ("motion", "borders", "split")),
}
"""What curation must reject, and which check may be the one to do it."""
