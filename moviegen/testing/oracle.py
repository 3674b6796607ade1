"""What a small video shows, measured from its pixels: the judge of generated toy-world clips. No learned part.

The shape is what is coloured: everything else in the world is nearly grey. Letters: T frames, H rows, W columns.
"""

from dataclasses import dataclass, field

import numpy as np

from .captions import parse_caption
from .scene import COLOURS
from .silhouette import MIN_OVERLAP, classify_shape
from .tracking import Blob, find_blobs, opponent_colour

MIN_FOUND = 0.5
"""Share of frames in which there must be something coloured; below it nothing is read."""

CHANCE = {"colour": 1 / 6, "shape": 1 / 4, "direction": 1 / 4}
"""Share that guessing gets right: six colours, four shapes, four directions."""

MIN_MOVE = 0.15
"""Short sides; a path shorter than this is no motion."""


@dataclass(frozen=True)
class Reading:
    """What a video shows. None where it cannot be told: nothing coloured, or no known outline."""

    colour: str | None
    shape: str | None
    action: str | None
    direction: str | None
    """`left`, `right`, `up`, `down`, `horizontally`, `vertically` on the screen; empty when nothing moves."""
    found_fraction: float
    """Share of frames with a coloured thing, 0..1."""
    colour_margin: float = 0.0
    """How much nearer the hue is to this colour than to the next, degrees."""
    shape_overlap: float = 0.0
    """Overlap of the outline with the best shape's (intersection over union), 0..1."""
    displacement: tuple[float, float] = (0.0, 0.0)
    """From first to last frame, right and down, short sides."""
    track: tuple[tuple[float, float], ...] = field(default=(), repr=False)
    """Middle of the thing in each frame where it was found, right and down of the frame's middle, short sides."""


@dataclass(frozen=True)
class Judgement:
    """Whether a video shows what its prompt says."""

    prompt: str
    reading: Reading
    colour_ok: bool
    shape_ok: bool
    direction_ok: bool
    """The action and its direction are the prompt's."""

    @property
    def all_ok(self) -> bool:
        """Colour, shape and direction."""
        return self.colour_ok and self.shape_ok and self.direction_ok


def judge(prompt: str, frames: np.ndarray) -> Judgement:
    """Compares `frames` (T, H, W, 3) uint8 with a caption of the world. Raises ValueError on any other prompt.

    Camera words are not judged. A video of one frame has no direction: there `direction_ok` is False but for `stays still`.
    """
    wanted = parse_caption(prompt)
    reading = read_video(frames)
    return Judgement(
        prompt,
        reading,
        colour_ok=reading.colour == wanted["colour"],
        shape_ok=reading.shape == wanted["shape"],
        direction_ok=(reading.action, reading.direction) == (wanted["action"], wanted["direction"]),
    )


def read_video(frames: np.ndarray) -> Reading:
    """What `frames` (T, H, W, 3) uint8 RGB show: the colour of the largest coloured thing, its outline, and its path."""
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or len(frames) == 0:
        raise ValueError(f"frames are {frames.dtype} {frames.shape}, wanted uint8 (T, H, W, 3) with at least one frame")
    blobs = find_blobs(frames)
    found = [blob for blob in blobs if blob is not None]
    fraction = len(found) / len(blobs)
    if fraction < MIN_FOUND:
        return Reading(None, None, None, None, fraction)
    colour, margin = _classify_colour(found)
    shape, overlap = classify_shape(found)
    track = np.array([(blob.x, blob.y) for blob in found])
    action, direction, displacement = _classify_path(track, blobs)
    return Reading(
        colour, shape if overlap >= MIN_OVERLAP else None, action, direction, fraction,
        margin, overlap, displacement, tuple(map(tuple, track.tolist())),
    )  # fmt: skip


def _classify_colour(blobs: list[Blob]) -> tuple[str, float]:
    """(nearest colour, how many degrees nearer than the next) by hue: grey and brightness play no part."""
    seen = np.sum([blob.colour for blob in blobs], axis=0)
    distances = {name: _angle(seen, opponent_colour(np.asarray(rgb, float))) for name, rgb in COLOURS.items()}
    best, second = sorted(distances, key=lambda name: distances[name])[:2]
    return best, distances[second] - distances[best]


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    cosine = a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _classify_path(track: np.ndarray, blobs: list[Blob | None]) -> tuple[str, str, tuple[float, float]]:
    """(action, direction, displacement) of a track (T, 2). A move ends far from where it began; a bounce only goes far."""
    net = track[-1] - track[0] if len(track) < 4 else _line_through(track)
    spread = np.ptp(track, axis=0)
    displacement = (float(net[0]), float(net[1]))
    axis = int(np.argmax(spread))
    if spread[axis] < MIN_MOVE:
        missing_first = next(i for i, blob in enumerate(blobs) if blob is not None)
        return ("appears" if missing_first >= 0.2 * len(blobs) else "stays still"), "", displacement
    if abs(net[axis]) >= 0.6 * spread[axis]:
        return "moves", (("left", "right"), ("up", "down"))[axis][int(net[axis] > 0)], displacement
    return "bounces", ("horizontally", "vertically")[axis], displacement


def _line_through(track: np.ndarray) -> np.ndarray:
    """From the first to the last point of the straight line nearest the track, (2,)."""
    u = np.linspace(-0.5, 0.5, len(track))
    return (u @ (track - track.mean(axis=0))) / (u @ u)
