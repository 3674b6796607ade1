"""Shots made from nothing, richer than the toy world's: textured places, a camera that moves as cameras do, things that move, film grain.

They are there to be cut together (`moviegen.testing.hard_cuts`), so each looks different from the others, or nearly the same when asked.
Lengths are in frame widths or heights unless pixels are named. Letters: T frames, H rows, W columns.
"""

from dataclasses import dataclass, replace

import numpy as np

PLACES = ("cloud", "shapes", "gradient", "text", "bricks")
"""Kinds of texture: fractal noise, flat overlapping shapes, a smooth gradient with blobs, rows of small print, a wall of windows."""

CAMERAS = ("still", "pan", "zoom", "hand", "drift")
"""How the camera moves in an ordinary shot."""


@dataclass(frozen=True)
class View:
    """Camera of each frame: arrays (T,). A subframe of `blur` frames' length is open, so fast moves blur."""

    x: np.ndarray
    """Right of the place's middle, frame widths."""
    y: np.ndarray
    """Below it, frame heights."""
    zoom: np.ndarray
    """Magnification."""
    angle: np.ndarray
    """Degrees."""
    blur: float = 0.5
    """Share of the time between two frames for which the shutter is open."""


@dataclass(frozen=True)
class Look:
    """What sets a shot apart."""

    place: str
    palette: np.ndarray
    """Colours (4, 3), 0..255 RGB."""
    camera: str
    num_things: int
    """Moving objects."""
    speed: float
    """Of camera and things, 1 is ordinary."""
    grain: float
    """Standard deviation of the film grain, 0..255."""
    gain: float = 1.0
    """Brightness of the whole shot."""


def sample_look(rng: np.random.Generator, like: Look | None = None) -> Look:
    """A random look; `like` gives one with the same colours in another place."""
    palette = rng.uniform(0, 255, (4, 3)) * 0.8 + rng.uniform(0, 255) * 0.2
    return Look(
        place=str(rng.choice(PLACES)),
        palette=palette if like is None else (like.palette + rng.normal(0, 20, (4, 3))).clip(0, 255),
        camera=str(rng.choice(CAMERAS)),
        num_things=int(rng.integers(0, 4)),
        speed=float(rng.uniform(0.5, 1.5)),
        grain=float(rng.choice([0.5, 2.0, 5.0])),
    )


def ordinary_view(rng: np.random.Generator, num_frames: int, camera: str, speed: float) -> View:
    """The camera of an ordinary shot, at most a sixth of the frame a second and a shaking hand on top."""
    t = np.arange(num_frames) - num_frames / 2
    still = np.zeros(num_frames)
    turn = rng.uniform(0, 2 * np.pi)
    step = speed * rng.uniform(0.002, 0.007) if camera in ("pan", "drift") else 0.0
    grow = speed * rng.uniform(0.002, 0.006) * rng.choice([-1, 1]) if camera in ("zoom", "drift") else 0.0
    shake = speed * (0.012 if camera == "hand" else 0.002 if camera != "still" else 0.0)
    place = rng.uniform(-0.5, 0.5, 2)
    return View(
        place[0] + step * np.cos(turn) * t + shake * _wander(rng, num_frames),
        place[1] + step * np.sin(turn) * t + shake * _wander(rng, num_frames),
        1.15 * np.exp(grow * t).clip(0.8, 1.6),
        still + 60 * shake * _wander(rng, num_frames),
    )


def whip_view(rng: np.random.Generator, num_frames: int, start: int, length: int, travel: float) -> View:
    """A camera that rests, whips by `travel` frame widths within `length` frames from `start` on, and rests: all one shot."""
    u = ((np.arange(num_frames) - start + 0.5) / length).clip(0, 1)
    eased = u * u * (3 - 2 * u)
    quiet = ordinary_view(rng, num_frames, "hand", 0.4)
    rise = rng.uniform(-0.1, 0.1)
    return replace(quiet, x=quiet.x * 0.1 + travel * (eased - 0.5), y=quiet.y + rise * eased, blur=0.8)


def burst_view(rng: np.random.Generator, num_frames: int, start: int, length: int, zoom: float) -> View:
    """A camera that rests, zooms by the factor `zoom` within `length` frames from `start` on, and rests."""
    u = ((np.arange(num_frames) - start + 0.5) / length).clip(0, 1)
    quiet = ordinary_view(rng, num_frames, "hand", 0.3)
    return replace(quiet, zoom=quiet.zoom * zoom ** (u * u * (3 - 2 * u)), blur=0.8)


def _wander(rng: np.random.Generator, num_frames: int) -> np.ndarray:
    """Hand shake: smooth random values (T,) of about unit size, a few turns a second."""
    slow = np.interp(np.arange(num_frames) / 9, np.arange(num_frames // 9 + 2), rng.normal(0, 1, num_frames // 9 + 2))
    quick = np.interp(np.arange(num_frames) / 3, np.arange(num_frames // 3 + 2), rng.normal(0, 1, num_frames // 3 + 2))
    return 0.8 * slow + 0.35 * quick


def film_shot(
    rng: np.random.Generator, look: Look, view: View, size: tuple[int, int], widths: float = 3.0
) -> np.ndarray:
    """The shot's frames (T, H, W, 3) uint8 RGB; `size` is (width, height), `widths` how many frames wide its place is."""
    width, height = size
    place = make_place(rng, look, round(width * widths), height * 3)
    things = [_Thing.sample(rng, look) for _ in range(look.num_things)]
    grain = rng.normal(0, look.grain, (height * 2, width * 2)).astype(np.float32)
    frames = np.empty((len(view.x), height, width, 3), np.uint8)
    for t in range(len(view.x)):
        picture = _expose(place, view, t, size)
        for thing in things:
            thing.paint(picture, t)
        row, column = rng.integers(0, (height, width))
        picture = picture * look.gain + grain[row : row + height, column : column + width, None]
        frames[t] = picture.clip(0, 255)
    return frames


def _expose(place: np.ndarray, view: View, t: int, size: tuple[int, int]) -> np.ndarray:
    """What the camera sees at frame `t` while its shutter is open: (H, W, 3) float32."""
    import cv2

    following = min(t + 1, len(view.x) - 1)
    moved = size[0] * abs(view.x[following] - view.x[t]) + size[0] * abs(view.zoom[following] / view.zoom[t] - 1) / 2
    num_samples = int(np.clip(moved * view.blur / 2, 1, 24))
    total = np.zeros((size[1], size[0], 3), np.float32)
    for share in np.arange(num_samples) / num_samples * view.blur:
        x, y, zoom, angle = (
            (1 - share) * values[t] + share * values[following] for values in (view.x, view.y, view.zoom, view.angle)
        )
        centre = place.shape[1] / 2 + x * size[0], place.shape[0] / 2 + y * size[1]
        matrix = cv2.getRotationMatrix2D(centre, angle, zoom)
        matrix[:, 2] += size[0] / 2 - centre[0], size[1] / 2 - centre[1]
        total += cv2.warpAffine(place, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return total / num_samples


@dataclass(frozen=True)
class _Thing:
    """An ellipse with two colours that crosses the picture."""

    start: np.ndarray
    step: np.ndarray
    radius: np.ndarray
    colours: np.ndarray

    @staticmethod
    def sample(rng: np.random.Generator, look: Look) -> "_Thing":
        """A random one."""
        turn, big = rng.uniform(0, 2 * np.pi), rng.choice([0.06, 0.12, 0.25])
        step = look.speed * rng.uniform(0.002, 0.014) * np.array([np.cos(turn), np.sin(turn)])
        return _Thing(rng.uniform(0, 1, 2), step, big * rng.uniform(0.6, 1.4, 2), rng.uniform(0, 255, (2, 3)))

    def paint(self, picture: np.ndarray, t: int) -> None:
        """Draws it as it stands at frame `t`; it turns back at the edges."""
        import cv2

        height, width = picture.shape[:2]
        along = (self.start + self.step * t) % 2
        x, y = np.where(along > 1, 2 - along, along) * (width, height)
        radius = np.maximum(1, self.radius * height).astype(int)
        cv2.ellipse(picture, (int(x), int(y)), radius.tolist(), 0, 0, 360, self.colours[0].tolist(), -1, cv2.LINE_AA)
        inner = np.maximum(1, radius // 2).tolist()
        cv2.ellipse(picture, (int(x), int(y) - inner[1] // 2), inner, 0, 0, 360, self.colours[1].tolist(), -1)


def make_place(rng: np.random.Generator, look: Look, width: int, height: int) -> np.ndarray:
    """The whole place (height, width, 3) float32, RGB."""
    make = {"cloud": _cloud, "shapes": _shapes, "gradient": _gradient, "text": _text, "bricks": _bricks}[look.place]
    return np.ascontiguousarray(make(rng, look.palette.astype(np.float32), width, height), np.float32)


def _noise(rng: np.random.Generator, width: int, height: int, cells: tuple[int, ...]) -> np.ndarray:
    """Fractal noise (height, width), mean 0: octaves of so many cells a height, each half as strong as the one before."""
    import cv2

    total = np.zeros((height, width), np.float32)
    for octave, number in enumerate(cells):
        columns = max(2, round(number * width / height))
        grid = rng.normal(0, 0.6**octave, (number, columns)).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return total


def _cloud(rng: np.random.Generator, palette: np.ndarray, width: int, height: int) -> np.ndarray:
    share = 1 / (1 + np.exp(-2 * _noise(rng, width, height, (6, 12, 24, 48, 96))))
    tint = _noise(rng, width, height, (5, 10))[..., None] * 25
    return palette[0] * (1 - share[..., None]) + palette[1] * share[..., None] + tint


def _gradient(rng: np.random.Generator, palette: np.ndarray, width: int, height: int) -> np.ndarray:
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    return palette[0] * (1 - down) + palette[1] * down + _noise(rng, width, height, (7,))[..., None] * 30


def _shapes(rng: np.random.Generator, palette: np.ndarray, width: int, height: int) -> np.ndarray:
    import cv2

    picture = _gradient(rng, palette, width, height)
    for _ in range(90):
        corners = rng.uniform(0, 1, 2) * (width, height) + rng.normal(0, height / 14, (int(rng.integers(3, 7)), 2))
        colour = palette[rng.integers(4)] * rng.uniform(0.5, 1.4)
        cv2.fillPoly(picture, [corners.astype(np.int32)], colour.tolist(), cv2.LINE_AA)
    return picture


def _text(rng: np.random.Generator, palette: np.ndarray, width: int, height: int) -> np.ndarray:
    import cv2

    picture = _gradient(rng, palette[:2] * 0.2 + palette[0] * 0.8, width, height)
    letters = list("ABCDEFGHKLMNOPRSTUVWXYZ  ,.0123456789")
    ink = 255 - palette[0] if rng.random() < 0.7 else palette[2]
    scale = height / 540 * rng.uniform(0.5, 1.1)
    for row in range(round(30 * scale), height, round(32 * scale)):
        line = "".join(rng.choice(letters, round(width / 17 / scale)))
        cv2.putText(picture, line, (0, row), cv2.FONT_HERSHEY_SIMPLEX, scale, ink.tolist(), 2, cv2.LINE_AA)
    return picture


def _bricks(rng: np.random.Generator, palette: np.ndarray, width: int, height: int) -> np.ndarray:
    import cv2

    picture = _cloud(rng, palette[:2] * 0.3 + palette[0] * 0.7, width, height)
    step_x, step_y = (rng.uniform(0.06, 0.14, 2) * height).astype(int)
    for row in range(0, height, step_y):
        for column in range(-(row // step_y % 2) * step_x // 2, width, step_x):
            colour = palette[rng.integers(4)] * rng.uniform(0.4, 1.3)
            corner = (column + step_x * 3 // 4, row + step_y * 3 // 4)
            cv2.rectangle(picture, (column, row), corner, colour.tolist(), -1)
    return picture
