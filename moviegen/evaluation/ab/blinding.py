"""Both files of a pair written anew in the same way, so that nothing but what is seen and heard tells them apart.

Same encoder and settings, same container without metadata, same height, same length: the larger is scaled down and the longer cropped in
time about its middle, as the paper does [S App C.2]; sounds are cropped at their end. The frame rate is the file's own.
"""

import io
import wave
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from moviegen.contracts.lake import atomic_write
from moviegen.media.audio import NoAudioError, read_audio
from moviegen.media.limits import MediaError
from moviegen.media.probe import MediaProbe, probe
from moviegen.media.read import iter_frames, read_image
from moviegen.media.write import write_image, write_video

from .pairing import Pair

SUFFIXES = {"video": ".mp4", "image": ".png", "sound": ".wav"}
"""By kind: what a study holds."""

SAMPLE_RATE = 48_000
CRF = 14
"""x264's quality of both sides: hardly to be told from the file it is made of. Our decision."""

DAMAGE = 12
"""A damaged clip of an attention check has this many blocks from top to bottom. Our decision: nobody can miss it."""


class PairError(MediaError):
    """A pair that cannot be shown, and why."""


@dataclass(frozen=True)
class Shape:
    """How one file of a pair is written."""

    size: tuple[int, int] | None = None
    """Width and height in pixels."""
    start_s: float = 0.0
    """On the file's own clock, after its first frame."""
    duration_s: float | None = None


def shapes_of(pair: Pair, *, with_sound: bool) -> tuple[Shape, Shape]:
    """How A and B are written so that they match. Raises PairError saying what of them does not fit or cannot be read."""
    try:
        if pair.kind == "video":
            return _video_shapes(pair, probe(pair.a), probe(pair.b), with_sound)
        if pair.kind == "image":
            sizes = [(image.shape[1], image.shape[0]) for image in (read_image(pair.a), read_image(pair.b))]
            height = min(size[1] for size in sizes)
            return Shape(_scaled(sizes[0], height, 1)), Shape(_scaled(sizes[1], height, 1))
        lengths = [
            read_audio(path, mono=False, sample_rate=SAMPLE_RATE).shape[1] / SAMPLE_RATE for path in (pair.a, pair.b)
        ]
    except PairError:
        raise
    except MediaError as error:
        raise PairError(str(error)) from error
    return Shape(duration_s=min(lengths)), Shape(duration_s=min(lengths))


def _video_shapes(pair: Pair, a: MediaProbe, b: MediaProbe, with_sound: bool) -> tuple[Shape, Shape]:
    for path, found in ((pair.a, a), (pair.b, b)):
        if with_sound and not found.has_audio:
            raise PairError(f"{path.name} has no sound, and the axes are about sound")
        if not _seconds(found):
            raise PairError(f"{path.name} does not say how long it is")
    height = min(a.height, b.height) // 2 * 2
    seconds = min(_seconds(a), _seconds(b))
    return tuple(  # type: ignore[return-value]
        Shape(_scaled((found.width, found.height), height, 2), max(0.0, (_seconds(found) - seconds) / 2), seconds)
        for found in (a, b)
    )


def _seconds(found: MediaProbe) -> float:
    return found.duration or float((found.num_frames or 0) / found.fps)


def _scaled(size: tuple[int, int], height: int, step: int) -> tuple[int, int]:
    """The size at this height, of the same aspect, its width a multiple of `step`."""
    return max(step, round(size[0] * height / size[1] / step) * step), height


def describe_change(path: Path, kind: str, shape: Shape) -> str:
    """What is done to a file beside encoding it anew: `1280x720 -> 854x480, 1.2 s cut`; empty when nothing."""
    if kind != "video" or shape.size is None:
        return ""
    found = probe(path)
    words = []
    if (found.width, found.height) != shape.size:
        words.append(f"{found.width}x{found.height} -> {shape.size[0]}x{shape.size[1]}")
    cut = _seconds(found) - (shape.duration_s or 0)
    if cut > 0.5 / found.fps:
        words.append(f"{cut:.2f} s cut")
    return ", ".join(words)


def write_blind(
    source: Path, target: Path, kind: str, shape: Shape, *, with_sound: bool, damaged: bool = False
) -> None:
    """Writes one file of a study. Raises PairError when the source cannot be read."""
    try:
        if kind == "video":
            _write_video(source, target, shape, with_sound, damaged)
        elif kind == "image":
            image = read_image(source, size=shape.size)
            write_image(target, _blocks(image) if damaged else image)
        else:
            _write_sound(target, _sound(source, shape, 0.0, damaged))
    except PairError:
        raise
    except MediaError as error:
        raise PairError(str(error)) from error


def _write_video(source: Path, target: Path, shape: Shape, with_sound: bool, damaged: bool) -> None:
    found = probe(source)
    first_s = float(found.start_pts * found.time_base)
    sound = _sound(source, shape, first_s, damaged) if with_sound else None
    frames = _frames(source, found, shape)
    write_video(
        target, map(_blocks, frames) if damaged else frames, found.fps, audio=sound, sample_rate=SAMPLE_RATE, crf=CRF
    )


def _frames(source: Path, found: MediaProbe, shape: Shape) -> Iterator[np.ndarray]:
    """The frames of the span: as many as it holds at the file's rate, from the first at or after its start."""
    start = found.start_pts + round(Fraction(shape.start_s) / found.time_base)
    wanted = None if shape.duration_s is None else max(1, round(shape.duration_s * found.fps))
    frames: Iterable = iter_frames(source, start_pts=start if shape.start_s else None, size=shape.size)
    for number, frame in enumerate(frames):
        if wanted is not None and number >= wanted:
            return
        yield frame.image


def _sound(source: Path, shape: Shape, first_s: float, damaged: bool) -> np.ndarray:
    start = first_s + shape.start_s
    end = None if shape.duration_s is None else start + shape.duration_s
    try:
        samples = read_audio(source, start_s=start, end_s=end, sample_rate=SAMPLE_RATE, mono=False)
    except NoAudioError as error:
        raise PairError(str(error)) from error
    if damaged:  # hiss as loud as half of full scale over what is left of the sound
        samples = 0.2 * samples + np.random.default_rng(0).uniform(-0.5, 0.5, samples.shape).astype(np.float32)
    return np.clip(samples, -1, 1)


def _blocks(image: np.ndarray) -> np.ndarray:
    """The picture in coarse blocks."""
    side = max(2, image.shape[0] // DAMAGE)
    rows, columns = (np.arange(length) // side * side for length in image.shape[:2])
    return image[rows][:, columns]


def _write_sound(target: Path, samples: np.ndarray) -> None:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(samples.shape[0])
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((samples.T * 32767).round().astype("<i2").tobytes())
    with atomic_write(target, "page") as temporary:
        temporary.write_bytes(content.getvalue())
