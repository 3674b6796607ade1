"""Videos whose shots are known to the frame, made from a seed; what a tool wrote of them, read frame by frame.

Each picture carries its number in its upper left corner and its file's number in the upper right one (`moviegen.testing.frame_code`),
so a clip says itself which frames of which file it holds, whatever it is called.
"""

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from moviegen.media.write import encode_clip
from moviegen.testing.frame_code import paint_number, read_number
from moviegen.testing.procedural import film_shot, ordinary_view, sample_look

FPS = Fraction(25)
SIZES = ((640, 360), (1280, 720))
"""(width, height), in turn."""
SHOT_S = (4.0, 6.0)
"""Shortest and longest shot: every tool can take each as one clip."""
CODE_SHARE = 4
"""The codes lie in the upper left and right corners, each of one fourth of width and height."""
SAMPLE_RATE = 48_000


@dataclass(frozen=True)
class CorpusConfig:
    """What is made; the same values give the same videos."""

    seed: int = 11
    num_files: int = 12
    num_shots: int = 3
    """Shots a file; hard cuts between them."""


@dataclass(frozen=True, order=True)
class Span:
    """Frames `start .. end - 1` of a file."""

    file: int
    start: int
    end: int


@dataclass(frozen=True)
class Corpus:
    """A folder of videos and, where it was made here, the spans of all its shots."""

    videos: Path
    shots: frozenset[Span] | None

    @property
    def files(self) -> list[Path]:
        """All videos by name."""
        return sorted(path for path in self.videos.iterdir() if path.is_file())

    @property
    def duration_s(self) -> float:
        """Sum of the files' durations as their headers state them."""
        total = 0
        for path in self.files:
            with av.open(str(path)) as container:
                total += container.duration or 0
        return total / av.time_base


def make_corpus(folder: Path, config: CorpusConfig) -> Corpus:
    """The corpus in `folder`, made unless it is there already."""
    truth = folder / "truth.json"
    known = json.loads(truth.read_text()) if truth.exists() else {}
    if known.get("config") != asdict(config):
        videos = folder / "videos"
        videos.mkdir(parents=True)
        spans = [span for number in range(config.num_files) for span in _film(videos, number, config)]
        known = {"config": asdict(config), "shots": [asdict(span) for span in spans]}
        truth.write_text(json.dumps(known))
    return Corpus(folder / "videos", frozenset(Span(**span) for span in known["shots"]))


def _film(folder: Path, number: int, config: CorpusConfig) -> list[Span]:
    """Writes one video with sound; its shots."""
    rng = np.random.default_rng([config.seed, number])
    size = SIZES[number % len(SIZES)]
    lengths = [round(rng.uniform(*SHOT_S) * float(FPS)) for _ in range(config.num_shots)]
    edges = np.cumsum([0, *lengths]).tolist()
    sound = np.cumsum(rng.normal(0, 0.01, (2, round(edges[-1] / FPS * SAMPLE_RATE))), axis=1)
    sound = 0.3 * np.sin(sound)  # a tone that wanders: something for an encoder to do
    content = encode_clip(
        _frames(rng, lengths, size, number), FPS, width=size[0], height=size[1], audio=sound.astype(np.float32),
        sample_rate=SAMPLE_RATE, crf=20, preset="veryfast",
    )  # fmt: skip
    (folder / f"video{number:03d}.mp4").write_bytes(content)
    return [Span(number, start, end) for start, end in pairwise(edges)]


def _frames(rng: np.random.Generator, lengths: list[int], size: tuple[int, int], number: int) -> Iterator[np.ndarray]:
    count = 0
    for length in lengths:
        look = sample_look(rng)
        for frame in film_shot(rng, look, ordinary_view(rng, length, look.camera, look.speed), size):
            for corner, value in zip(_corners(frame), (count, number), strict=True):
                corner[:] = paint_number(corner, value)
            yield frame
            count += 1


def _corners(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Views of the upper left and upper right corner."""
    height, width = image.shape[0] // CODE_SHARE, image.shape[1] // CODE_SHARE
    return image[:height, :width], image[:height, -width:]


def copies(corpus: Corpus, folder: Path, times: int) -> Corpus:
    """The corpus `times` over with the same pictures in different bytes: a copy has an empty atom of its own at its end."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in corpus.files:
        for copy in range(times):
            free = (16).to_bytes(4, "big") + b"free" + copy.to_bytes(8, "big")
            (folder / f"{path.stem}-{copy}{path.suffix}").write_bytes(path.read_bytes() + free)
    return Corpus(folder, corpus.shots)


def written_spans(folder: Path) -> list[Span | None]:
    """What each mp4 below a folder, and in each tar below it, holds; None: no frame, or not one run of one file's frames."""
    spans = [_span_of(open(path, "rb")) for path in sorted(folder.rglob("*.mp4"))]  # noqa: SIM115
    for path in sorted(folder.rglob("*.tar")):
        with tarfile.open(path) as tar:
            names = [name for name in tar.getnames() if name.endswith(".mp4")]
            spans += [_span_of(io.BytesIO(tar.extractfile(name).read())) for name in names]
    return spans


def _span_of(file: BinaryIO) -> Span | None:
    with file, av.open(file) as container:
        numbers = [tuple(map(read_number, _corners(f.to_ndarray(format="rgb24")))) for f in container.decode(video=0)]
    if not numbers or None in numbers[0]:
        return None
    first, number = numbers[0]
    is_run = numbers == [(first + place, number) for place in range(len(numbers))]
    return Span(number, first, first + len(numbers)) if is_run else None
