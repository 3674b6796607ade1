"""Short videos of odd shape and timing, of which every frame shows its own number: what a viewer sees, and when, is known exactly.

`make_odd_media` writes one kind of `moviegen.testing.odd_kinds` by the ffmpeg program. The truth comes from the drawing and the options
alone, never from reading the file back. `H W` rows and columns.
"""

import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np

from moviegen.media.write import EncodeError, find_ffmpeg
from moviegen.testing.edit_list import set_edit_list
from moviegen.testing.frame_code import paint_number

CLOCK = 90_000
"""Ticks a second of times that vary: MPEG's own clock, which every rate used here divides."""

SAMPLE_RATE = 48_000
CLICK_S = 0.005
OTHER_NUMBER = 600
"""Number of the first frame of the stream that nobody should look at."""

H264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "14", "-pix_fmt", "yuv420p")


@dataclass(frozen=True)
class Oddity:
    """A kind of odd video."""

    why: str
    """What is odd about it."""
    suffix: str = ".mp4"
    fps: Fraction = Fraction(24)
    shots: tuple[int, ...] = ()
    """Frames of each shot; empty: three of 24 to 33 frames by the seed."""
    rates: tuple[tuple[int, int], ...] = ()
    """(frames a second, number of frames) of stretches; empty: `fps` throughout."""
    jitter_ms: tuple[int, int] = (0, 0)
    """Least and most milliseconds between two frames, by the seed; 0: as the rate says."""
    pauses: tuple[tuple[int, int], ...] = ()
    """(shot, milliseconds): the last frame before that shot stays so much longer."""
    size: tuple[int, int] = (160, 96)
    """(width, height) in px as displayed."""
    sample_aspect: Fraction = Fraction(1)
    """Width over height of a stored pixel."""
    turn: int = 0
    """Degrees clockwise that the stored picture is turned for display."""
    mirror: bool = False
    """Whether it is then mirrored, left to right."""
    picture: tuple[str, ...] = H264
    """ffmpeg's options for the picture."""
    sound: tuple[str, ...] = ()
    """ffmpeg's options for the sound; empty: silent. Otherwise clicks, each at a known frame."""
    sound_late_s: Fraction = Fraction(0)
    """Seconds by which each click sounds after its frame appears."""
    remux: tuple[tuple[str, ...], ...] = ()
    """Runs of ffmpeg after the encoding: arguments with `{base}`, `{other}` (another video), `{cover}` (a still) and `{out}`."""
    edits: tuple[tuple[float, float], ...] = ()
    """(first, last) seconds of the stretches that an edit list written by hand shows, one after another."""
    shown: tuple[tuple[float, float], ...] = ()
    """(first, last) seconds of the stretches that are seen in the end; empty: `edits`, or all of it."""
    copies: int = 1
    """How often the file's bytes follow one another, the clock beginning again: recordings joined by `cat`."""
    start_s: Fraction | None = Fraction(0)
    """Seconds of the first frame on the file's clock; None: the container's own choice, only differences count."""
    tick_s: float = 1e-5
    """Seconds by which the container rounds times."""


@dataclass(frozen=True)
class OddMedia:
    """A written video and its truth. Frames are those that a viewer sees, in order."""

    name: str
    path: Path
    size: tuple[int, int]
    """(width, height) in px as displayed."""
    numbers: tuple[int, ...]
    """What each frame shows."""
    times_s: tuple[Fraction, ...]
    """When each frame appears, on the file's clock, or from 0 where that is the container's choice."""
    has_own_clock: bool
    """Whether `times_s` are on the file's clock."""
    cuts: tuple[int, ...]
    """Places of the first frame of each shot but the first."""
    clicks_s: tuple[Fraction, ...]
    """When clicks sound, on the clock of `times_s`."""
    has_sound: bool
    tick_s: float


def make_odd_media(name: str, oddity: Oddity, folder: Path, seed: int = 0) -> OddMedia:
    """Writes `folder/name.suffix`. The same seed gives the same pictures and times. Raises EncodeError with ffmpeg's words."""
    rng = np.random.default_rng([seed, *name.encode()])
    shots = oddity.shots or tuple(int(n) for n in rng.integers(24, 34, size=3))
    starts = [int(start) for start in np.cumsum([0, *shots])]
    times = frame_times(oddity, starts, rng)
    clicks = [(start + end) // 2 for start, end in pairwise(starts)]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}{oddity.suffix}"
    with tempfile.TemporaryDirectory(prefix="moviegen-odd-") as work:
        base = Path(work, f"base{oddity.suffix}") if oddity.remux else path
        frames = [_stored(draw_frame(oddity.size, n, starts, seed), oddity) for n in range(starts[-1])]
        _encode(base, frames, times, oddity, [times[n] for n in clicks])
        if oddity.edits:
            base.write_bytes(set_edit_list(base.read_bytes(), oddity.edits))
        _remux(Path(work), base, path, oddity, seed)
    path.write_bytes(path.read_bytes() * oddity.copies)
    return _truth(name, path, oddity, starts, times, clicks)


def frame_times(oddity: Oddity, starts: list[int], rng: np.random.Generator) -> list[Fraction]:
    """Seconds at which each frame appears, from 0, and the end of the last."""
    total = starts[-1]
    gaps = [Fraction(1, rate) for rate, number in oddity.rates for _ in range(number)] or [1 / oddity.fps] * total
    if oddity.jitter_ms[1]:
        gaps = [Fraction(int(ms), 1000) for ms in rng.integers(*oddity.jitter_ms, size=total, endpoint=True)]
    for shot, pause_ms in oddity.pauses:
        gaps[starts[shot] - 1] += Fraction(pause_ms, 1000)
    times = [Fraction(0)]
    for gap in gaps:
        times.append(times[-1] + gap)
    return times


def draw_frame(size: tuple[int, int], number: int, starts: list[int], seed: int, first: int = 0) -> np.ndarray:
    """(H, W, 3) uint8 as displayed: stripes in the shot's two colours that drift slowly, and the number (counted from `first`)."""
    width, height = size
    shot = int(np.searchsorted(starts, number, side="right")) - 1
    rng = np.random.default_rng([seed, first, shot])
    y, x = np.mgrid[:height, :width] / max(size)
    angle = rng.uniform(0, np.pi) if shot % 2 else rng.uniform(np.pi, 2 * np.pi)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(6, 14) + 0.02 * number)[..., None]
    dark, light = rng.uniform(20, 80, size=3), rng.uniform(80, 140, size=3)
    image = (dark + light) / 2 + wave * (light - dark) / 2
    if shot % 2:
        image = 255 - image
    return paint_number(image.round().astype(np.uint8), first + number)


def _stored(image: np.ndarray, oddity: Oddity) -> np.ndarray:
    """The picture as the file holds it: un-mirrored, turned back, squeezed."""
    import cv2

    image = image[:, ::-1] if oddity.mirror else image
    image = np.rot90(image, oddity.turn // 90)  # counter-clockwise: the reader turns it clockwise
    if oddity.sample_aspect != 1:
        width = round(image.shape[1] / oddity.sample_aspect)
        image = cv2.resize(np.ascontiguousarray(image), (width, image.shape[0]), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image)


def _encode(
    path: Path, frames: list[np.ndarray], times: list[Fraction], oddity: Oddity, clicks_s: Iterable[Fraction]
) -> None:
    height, width = frames[0].shape[:2]
    aspect, rate = oddity.sample_aspect, oddity.fps
    filters = [f"setsar={aspect.numerator}/{aspect.denominator}"]
    arguments: list[str] = []
    if oddity.rates or oddity.pauses or oddity.jitter_ms[1]:
        filters += [f"settb=1/{CLOCK}", f"setpts='{_pts_expression(times)}'"]
        arguments = ["-enc_time_base", f"1/{CLOCK}"]
        arguments += ["-video_track_timescale", str(CLOCK)] if path.suffix in (".mp4", ".mov") else []
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
    source += ["-framerate", f"{rate.numerator}/{rate.denominator}", "-i", "pipe:0"]
    with tempfile.TemporaryDirectory(prefix="moviegen-click-") as folder:
        if oddity.sound:
            raw = Path(folder, "clicks.f32")
            raw.write_bytes(click_track(clicks_s, times[-1]).tobytes())
            source += ["-f", "f32le", "-ar", str(SAMPLE_RATE), "-ac", "1", "-i", str(raw)]
            arguments += [*oddity.sound]
        arguments += ["-vf", ",".join(filters), "-fps_mode", "passthrough", *oddity.picture]
        run_ffmpeg([*source, *arguments, str(path)], b"".join(frame.tobytes() for frame in frames))


def _pts_expression(times: list[Fraction]) -> str:
    """The timestamps of frame N for ffmpeg's setpts: a sum over stretches of equal gaps, in groups, as ffmpeg counts depth."""
    gaps = [after - before for before, after in pairwise(times)]
    terms, place = [], 0
    for gap, equal in groupby(gaps):
        number = len(list(equal))
        terms.append(f"{round(gap * CLOCK)}*clip(N-{place},0,{number})")
        place += number
    groups = ["+".join(terms[first : first + 32]) for first in range(0, len(terms), 32)]
    return "+".join(f"({group})" for group in groups)


def click_track(clicks_s: Iterable[Fraction], end_s: Fraction) -> np.ndarray:
    """(N,) float32: silence with a short burst at each time."""
    sound = np.zeros(round(end_s * SAMPLE_RATE), np.float32)
    burst = 0.8 * np.sin(2 * np.pi * 3000 * np.arange(round(CLICK_S * SAMPLE_RATE)) / SAMPLE_RATE)
    for click_s in clicks_s:
        start = round(click_s * SAMPLE_RATE)
        sound[start : start + len(burst)] = burst[: len(sound) - start]
    return sound


def _remux(folder: Path, base: Path, path: Path, oddity: Oddity, seed: int) -> None:
    for number, arguments in enumerate(oddity.remux):
        is_last = number == len(oddity.remux) - 1
        out = path if is_last else folder / f"step{number}{oddity.suffix}"
        names = {
            "base": str(base),
            "out": str(out),
            "other": str(folder / "other.mp4"),
            "cover": str(folder / "cover.png"),
        }
        if any("{other}" in argument for argument in arguments):
            _make_other(folder / "other.mp4", seed)
        if any("{cover}" in argument for argument in arguments):
            run_ffmpeg(["-f", "lavfi", "-i", "testsrc=s=64x64:r=1:d=1", "-frames:v", "1", names["cover"]])
        filled = [argument.format(**names) for argument in arguments]
        if "pipe:1" in filled:
            out.write_bytes(run_ffmpeg(filled))
        else:
            run_ffmpeg(filled)
        base = out


def _make_other(path: Path, seed: int) -> None:
    """A video of another size, rate and numbers, with sound that clicks at other times."""
    other = Oddity("other", fps=Fraction(30), size=(128, 128), sound=("-c:a", "aac"))
    frames = [draw_frame(other.size, n, [0, 40, 90], seed, OTHER_NUMBER) for n in range(90)]
    times = [Fraction(n, 30) for n in range(91)]
    _encode(path, frames, times, other, [Fraction(n, 7) for n in range(20)])


def run_ffmpeg(arguments: list[str], stdin: bytes = b"") -> bytes:
    """What ffmpeg wrote to stdout. Raises EncodeError with its words."""
    command = [str(find_ffmpeg()[0]), "-hide_banner", "-v", "error", "-y", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise EncodeError(f"ffmpeg {' '.join(arguments)[:200]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _truth(
    name: str, path: Path, oddity: Oddity, starts: list[int], times: list[Fraction], clicks: list[int]
) -> OddMedia:
    numbers, shown_s, place_s = [], [], Fraction(0)
    for first, last in _stretches(oddity, times[-1]):
        seen = [n for n in range(starts[-1]) if first <= times[n] < last]
        numbers += seen
        shown_s += [place_s + times[n] - first for n in seen]
        place_s += last - first
    offset = -shown_s[0] if oddity.start_s is None else oddity.start_s
    shots = [int(np.searchsorted(starts, n, side="right")) for n in numbers]
    cuts = [place for place, (a, b) in enumerate(pairwise(shots), 1) if a != b]
    return OddMedia(
        name=name,
        path=path,
        size=oddity.size,
        numbers=tuple(numbers),
        times_s=tuple(time + offset for time in shown_s),
        has_own_clock=oddity.start_s is not None,
        cuts=tuple(cuts),
        clicks_s=tuple(
            time + offset + oddity.sound_late_s for n, time in zip(numbers, shown_s, strict=True) if n in clicks
        ),
        has_sound=bool(oddity.sound),
        tick_s=oddity.tick_s,
    )


def _stretches(oddity: Oddity, end: Fraction) -> list[tuple[Fraction, Fraction]]:
    """(first, last) seconds of what is seen, one after another."""
    shown = oddity.shown or oddity.edits
    return [(Fraction(first), Fraction(last)) for first, last in shown] or [(Fraction(0), end)] * oddity.copies
