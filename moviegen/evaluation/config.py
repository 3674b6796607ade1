"""What `moviegen eval run` is told."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from moviegen.contracts.shard import check_name
from moviegen.errors import UsageError
from moviegen.evaluation.metrics import METRICS, SUITES, Metric, metric_of, of_suites
from moviegen.messages import nearest


def meant(word: str, names: Iterable[str]) -> str:
    """` (did you mean X?)` where one of the names is near."""
    close = nearest(word, names)
    return f" (did you mean {close!r}?)" if close else ""


Pixels = Literal["-1..1", "0..1", "0..255"]


@dataclass(frozen=True)
class Networks:
    """Files of networks; a metric whose network is not given is not measured. Nothing is downloaded."""

    image_extractor: Path | None = None
    """FID, KID: TorchScript or .onnx, (B, 3, side, side) -> (B, D); or a folder of an image encoder, as the transformers library or
    open_clip saves it."""
    video_extractor: Path | None = None
    """FVD, KVD: TorchScript or .onnx, (B, 3, T, side, side) -> (B, D); or a folder, as of VideoMAE."""
    audio_extractor: Path | None = None
    """FAD, KAD: TorchScript or .onnx, (B, N) samples in -1..1 -> (B, D); or a folder, as of CLAP or AST."""
    clip: Path | None = None
    """Folder of a CLIP of the transformers library (config.json, model.safetensors, tokenizer, preprocessor), or of open_clip."""
    clap: Path | None = None
    """Folder of a CLAP of the transformers library."""
    viclip: Path | None = None
    """Folder of video.pt and text.pt (TorchScript) and tokenizer.json."""
    identity: Path | None = None
    """TorchScript or .onnx, faces (B, 3, side, side) in [-1, 1] -> (B, D); or a folder of an image encoder."""
    faces: str = ""
    """Finds the faces for `identity`: mtcnn, or the .onnx of an Ultra-Light face model; the middle of each frame unless given."""
    lpips: Path | None = None
    """Safetensors of LPIPS: VGG16's features.* and heads.0 .. heads.4."""
    tae: Path | None = None
    """Folder of a TAE, for what its latents are like."""
    checkpoint: Path | None = None
    """Folder of a video model, for its loss at fixed t."""
    frames: int = 16
    """Frames a clip shows to the video extractor and CLIP."""
    image_frames: int = 4
    """Frames of a clip that count as pictures for FID."""
    image_px: int = 299
    """Side of a picture for FID."""
    image_pixels: Pixels = "-1..1"
    """Range of pixels that the file of the image extractor wants; the InceptionV3 of StyleGAN wants 0..255."""
    video_px: int = 224
    """Side of a frame for FVD [Unterthiner 2018]."""
    video_pixels: Pixels = "-1..1"
    """Range of pixels that the file of the video extractor wants."""
    identity_px: int = 112
    """Side of a face."""
    sample_rate: int = 16000
    """Hz that the audio extractor hears at."""
    sound_s: float = 10.0
    """Seconds of a sound for FAD; a shorter one is filled up with silence."""
    device: str = "cpu"
    """cpu or cuda, for networks."""

    def __post_init__(self) -> None:
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        if lost := [name for name, path in given.items() if isinstance(path, Path) and not path.exists()]:
            raise UsageError(f"--networks.{lost[0]} {given[lost[0]]}: no such file or folder")

    def given(self, name: str) -> Path | None:
        """The file or folder of a setting that names one."""
        return getattr(self, name) if name else None


@dataclass(frozen=True)
class EvalConfig:
    """What is measured, beside what, and where the results go."""

    suite: str
    """One or several of tae, t2v, audio, edit, identity, separated by commas."""
    generated: Path
    """Folder of the files to measure."""
    output: Path = Path("eval")
    """Folder of the results; those of several runs lie side by side, and `moviegen stats` reads it."""
    reference: Path | None = None
    """Folder of the files to compare with, of the same names; for FVD and its kin any real clips."""
    masks: Path | None = None
    """Folder of masks of edits, of the same names: pictures or videos, white where the edit belongs."""
    pictures: Path | None = None
    """Folder of pictures of the persons, <name>.jpg or <name>/*.jpg."""
    prompts: Path | None = None
    """Prompts with tags: .txt, .csv, .jsonl, .json (VBench), .yaml, found by the files' names; of edits with source_prompt. Else
    <name>.txt beside each file."""
    name: str = ""
    """Of this run; the generated folder's unless given."""
    metrics: list[str] = field(default_factory=list)
    """Only these of the suite's; all when empty."""
    networks: Networks = field(default_factory=Networks)
    cache: Path | None = None
    """Folder of what was measured before; <output>/cache unless given."""
    allow_small: bool = False
    """Give Frechet distances of fewer items than 2 for each number of a feature."""
    fail_under: str = ""
    """Gates, as psnr=30,fvd.i3d=400: exit code 4 when a value is worse, whichever way is better, or is missing."""
    max_errors: float = 0.05
    """Share of items that may fail before the exit code is 3."""
    workers: int = 0
    """Files measured at once; 0: one a core."""
    timeout_s: float = 300.0
    """Seconds one file may take."""
    seed: int = 0
    """Of the bootstrap and of validation noise."""
    dry_run: bool = False
    """Say what would be measured, and write nothing."""
    json: bool = False
    """Print the results as JSON."""

    def __post_init__(self) -> None:
        if odd := [suite for suite in self.suites if suite not in SUITES]:
            raise UsageError(f"no suite {odd[0]!r}{meant(odd[0], SUITES)}; there are {', '.join(SUITES)}")
        for name in self.metrics:
            try:
                metric_of(name)
            except KeyError:
                known = [metric.name for metric in of_suites(self.suites)]
                raise UsageError(
                    f"--metrics: no metric {name!r}{meant(name, known)}; {self.suite} has {', '.join(known)}"
                ) from None
        try:
            check_name("--name", self.run_name)
        except ValueError as error:
            raise UsageError(str(error)) from error
        _ = self.gates
        if not 0 <= self.max_errors <= 1:
            raise UsageError(f"--max_errors is {self.max_errors}, wanted a share between 0 and 1")

    @property
    def suites(self) -> tuple[str, ...]:
        """Names of the suites."""
        return tuple(dict.fromkeys(part.strip() for part in self.suite.split(",") if part.strip()))

    @property
    def run_name(self) -> str:
        """Name of the run."""
        return self.name or self.generated.resolve().name

    @property
    def num_workers(self) -> int:
        """Files measured at once."""
        return self.workers or len(os.sched_getaffinity(0))

    @property
    def chosen(self) -> tuple[Metric, ...]:
        """The metrics asked for, measurable or not."""
        asked = {metric_of(name).name for name in self.metrics}
        return tuple(m for m in (METRICS if asked else of_suites(self.suites)) if not asked or m.name in asked)

    @property
    def gates(self) -> dict[str, float]:
        """Metric -> the worst value that passes. Raises UsageError."""
        found = {}
        for part in filter(None, (part.strip() for part in self.fail_under.split(","))):
            name, equals, bound = part.partition("=")
            try:
                better = metric_of(name.strip()).better
                found[name.strip()] = float(bound)
            except (KeyError, ValueError):
                equals = better = ""
            if not equals or better == "none":
                close = meant(name.strip(), [metric.name for metric in METRICS])
                raise UsageError(
                    f"--fail_under {part!r}{close}: wanted metric=value, of a metric that has a better way, as psnr=30"
                )
        return found
