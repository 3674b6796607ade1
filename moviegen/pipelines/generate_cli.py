"""`moviegen generate`: prompts in, files out."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from moviegen.config import console, parse_config
from moviegen.errors import UsageError

if TYPE_CHECKING:
    from moviegen.pipelines.recipe import Recipe
    from moviegen.pipelines.soundtrack import SoundtrackPipeline
    from moviegen.pipelines.video import GeneratedVideo, VideoDefaults, VideoPipeline

VIDEO_SUFFIXES = (".mp4", ".mkv")
IMAGE_SUFFIXES = (".png", ".jpg")
EXAMPLE_MODEL = "runs/tiny/04_t2v_64px/model"


@dataclass(frozen=True)
class GenerateConfig:
    """What to generate. A value left out is the model's own default (its last training stage's)."""

    model: Path
    """Folder of a video model: model_index.json, tae/, video_dit/, text_<i>/."""
    output: Path
    """A .mp4 or .mkv (video), a .png or .jpg (image); with a prompts file a folder."""
    prompt: str = ""
    """What to show."""
    prompts_file: Path | None = None
    """Text file with one prompt a line, instead of `prompt`."""
    negative_prompt: str = ""
    """What guidance leads away from."""
    num_frames: int | None = None
    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""
    fps: str | None = None
    """Frames a second, a number or a ratio: 16, 24000/1001."""
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    seed: int = 0
    """Of the noise; prompt number i of a file gets seed + i."""
    images: bool = False
    """With a prompts file: one .png a prompt instead of a video."""
    batch_size: int = 4
    """Prompts of a file that are generated together."""
    soundtrack: Path | None = None
    """Folder of a soundtrack model: the videos get sound."""
    sound: str = ""
    """With --soundtrack: what is heard; may be left out."""
    music: str = ""
    """With --soundtrack: what the music is like, if there shall be any."""
    sound_inference_steps: int = 64
    device: str = "auto"
    """cpu, cuda, or auto: cuda where there is one."""
    overwrite: bool = False
    """Make files again that lie there already with the same recipe; else they are left as they are, so a stopped run goes on."""
    dry_run: bool = False
    """Say what would be generated and where, load no weights, write nothing."""
    json: bool = False
    """Print one JSON line a file on stdout instead of its path."""

    def __post_init__(self) -> None:
        if bool(self.prompt) == bool(self.prompts_file):
            raise UsageError("give either --prompt TEXT or --prompts_file FILE")
        if self.prompt and self.output.suffix.lower() not in VIDEO_SUFFIXES + IMAGE_SUFFIXES:
            raise UsageError(
                f"--output {self.output}: wanted a name that ends in one of {VIDEO_SUFFIXES + IMAGE_SUFFIXES}"
            )
        if self.prompts_file and self.output.suffix:
            raise UsageError(f"--output {self.output}: with --prompts_file it is a folder, a name without suffix")
        if self.is_image and (self.num_frames or 1) != 1:
            raise UsageError(
                f"an image has one frame, --num_frames is {self.num_frames}; for a video name the output .mp4"
            )
        if self.soundtrack is not None and self.is_image:
            raise UsageError("an image has no sound: leave --soundtrack out, or name the output .mp4")
        if self.soundtrack is None and (self.sound or self.music):
            raise UsageError("--sound and --music are for --soundtrack MODEL, the folder of a soundtrack model")
        if self.sound_inference_steps < 1:
            raise UsageError(f"--sound_inference_steps is {self.sound_inference_steps}, wanted at least 1")
        if self.batch_size < 1:
            raise UsageError(f"--batch_size is {self.batch_size}, wanted at least 1")

    @property
    def is_image(self) -> bool:
        """Images are wanted, not videos."""
        return self.images if self.prompts_file else self.output.suffix.lower() in IMAGE_SUFFIXES


@dataclass(frozen=True)
class Job:
    """One file to make."""

    prompt: str
    seed: int
    path: Path


def main(argv: Sequence[str]) -> int:
    """Generates and writes; prints the path of each file on stdout as soon as it lies there."""
    config, _ = parse_config(
        GenerateConfig,
        argv,
        prog="moviegen generate",
        summary="Text to image or video.",
        examples=(
            'moviegen generate --model runs/tiny/04_t2v_64px/model --prompt "a red circle moves left" --output circle.mp4',
            'moviegen generate --model runs/tiny/04_t2v_64px/model --prompt "a blue square" --output square.png --seed 3',
            "moviegen generate --model runs/tiny/04_t2v_64px/model --prompts_file prompts.txt --output out/ --guidance_scale 5",
            'moviegen generate --model runs/t2v/model --prompt "waves" --output waves.mp4 --soundtrack runs/audio/model',
        ),
    )
    if config.soundtrack is not None and not config.soundtrack.is_dir():
        raise UsageError(f"--soundtrack {config.soundtrack}: no such folder; wanted a soundtrack model's")
    if not config.model.is_dir():
        raise UsageError(f"--model {config.model}: no such folder; a finished recipe has one, as {EXAMPLE_MODEL}")
    jobs = list_jobs(config)
    shape = wanted_shape(config)
    chatter = console()
    chatter.print(
        f"{len(jobs)} {'image' if config.is_image else 'video'}{'s' if len(jobs) > 1 else ''} of "
        f"{shape.num_frames} frames, {shape.width}x{shape.height}, {float(shape.fps):g} fps; "
        f"{shape.num_inference_steps} steps, guidance {shape.guidance_scale:g}, seed {config.seed}"
    )
    if config.dry_run:
        for job in jobs:
            chatter.print(f"would write {job.path}: {job.prompt!r}, seed {job.seed}", markup=False)
        return 0
    generate(config, jobs, shape)
    return 0


def generate(config: GenerateConfig, jobs: Sequence[Job], shape: "VideoDefaults") -> None:
    """Loads the model, makes the jobs' files in batches, prints each. What lies there already, made just so, is not made again."""
    from moviegen.pipelines.recipe import is_made, make_recipe, steady
    from moviegen.pipelines.video import VideoPipeline

    device = choose_device(config.device)
    steady()
    base = make_recipe("generate", {}, models=model_places(config), device=device)
    batches = [jobs[i : i + config.batch_size] for i in range(0, len(jobs), config.batch_size)]
    work = [(batch, [replace(base, settings=s) for s in batch_settings(config, batch, shape)]) for batch in batches]
    left = [
        each for each in work if config.overwrite or not all(is_made(j.path, r) for j, r in zip(*each, strict=True))
    ]
    for batch, _ in [each for each in work if each not in left]:
        for job in batch:
            console().print(f"there already: {job.path}", markup=False)
    if not left:
        return
    pipeline, speaker = VideoPipeline.from_pretrained(config.model, device), load_soundtrack(config.soundtrack, device)
    with show_progress(len(left) * shape.num_inference_steps) as advance:
        for batch, recipes in left:
            start = time.monotonic()
            videos = sample(pipeline, recipes[0].settings, advance)
            seconds = (time.monotonic() - start) / len(batch)
            for job, video, recipe in zip(batch, videos, recipes, strict=True):
                write_output(job.path, video, recipe, speaker)
                print(describe(job, video, seconds) if config.json else job.path, flush=True)


def model_places(config: GenerateConfig) -> dict[str, Path]:
    """Name of each product folder that is used -> where it is."""
    return {"model": config.model} | ({} if config.soundtrack is None else {"soundtrack": config.soundtrack})


def load_soundtrack(folder: Path | None, device: str) -> "SoundtrackPipeline | None":
    """The soundtrack model of a folder, if there is one."""
    from moviegen.pipelines.soundtrack import SoundtrackPipeline

    return None if folder is None else SoundtrackPipeline.from_pretrained(folder, device)


def batch_settings(config: GenerateConfig, batch: Sequence[Job], shape: "VideoDefaults") -> list[dict[str, Any]]:
    """The settings of each file of a batch. What is computed together is told together: sums are done in another order alone."""
    from moviegen.pipelines.video import encode_defaults

    shared = {
        **encode_defaults(shape), "negative_prompt": config.negative_prompt,
        "batch": [[job.prompt, job.seed] for job in batch],
    }  # fmt: skip
    if config.soundtrack is not None:
        shared["sound"] = {
            "prompt": config.sound, "music": config.music, "num_inference_steps": config.sound_inference_steps,
        }  # fmt: skip
    return [{"prompt": job.prompt, "seed": job.seed, "place": i, **shared} for i, job in enumerate(batch)]


def sample(
    pipeline: "VideoPipeline", settings: Mapping[str, Any], advance: Callable[[int, int], None] | None = None
) -> "list[GeneratedVideo]":
    """The videos of a batch, by the settings in the recipe of any of them."""
    from moviegen.pipelines.video import decode_defaults, encode_defaults

    shape = decode_defaults({name: settings[name] for name in encode_defaults(pipeline.defaults)})
    return pipeline(  # type: ignore[return-value]
        [prompt for prompt, _ in settings["batch"]],
        negative_prompt=settings["negative_prompt"],
        **vars(shape),
        seed=[seed for _, seed in settings["batch"]],
        callback=advance,
    )


def remake(recipe: "Recipe", places: Mapping[str, Path], output: Path, device: str) -> None:
    """Makes a file of this verb again, for `moviegen reproduce`."""
    from moviegen.pipelines.video import VideoPipeline

    pipeline = VideoPipeline.from_pretrained(places["model"], device)
    with show_progress(recipe.settings["num_inference_steps"]) as advance:
        videos = sample(pipeline, recipe.settings, advance)
    speaker = load_soundtrack(places.get("soundtrack"), device)
    write_output(output, videos[recipe.settings["place"]], recipe, speaker)


def list_jobs(config: GenerateConfig) -> list[Job]:
    """What to make: one job, or one a line of the prompts file (empty lines are skipped)."""
    if config.prompts_file is None:
        return [Job(config.prompt, config.seed, config.output)]
    try:
        lines = config.prompts_file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--prompts_file {config.prompts_file}: {error}") from error
    prompts = [line.strip() for line in lines if line.strip()]
    if not prompts:
        raise UsageError(f"--prompts_file {config.prompts_file} holds no prompt; one a line")
    suffix = ".png" if config.is_image else ".mp4"
    return [
        Job(prompt, config.seed + i, config.output / f"{i:04d}_{file_stem(prompt)}{suffix}")
        for i, prompt in enumerate(prompts)
    ]


def file_stem(prompt: str) -> str:
    """A prompt as part of a file name: small letters and digits, at most 40."""
    return re.sub(r"[^a-z0-9]+", "_", prompt.lower()).strip("_")[:40].rstrip("_") or "prompt"


def wanted_shape(config: GenerateConfig) -> "VideoDefaults":
    """The model's defaults with what was asked for. Raises UsageError before any weight is loaded."""
    from moviegen.pipelines.video import decode_defaults, read_index

    defaults = decode_defaults(read_index(config.model)["defaults"])
    try:
        return defaults.override(
            num_frames=1 if config.is_image else config.num_frames,
            width=config.width,
            height=config.height,
            fps=Fraction(config.fps) if config.fps else None,
            num_inference_steps=config.num_inference_steps,
            guidance_scale=config.guidance_scale,
        )
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"moviegen generate: {error}") from error


def choose_device(device: str | Literal["auto"]) -> str:
    """`device`, or cuda where there is one and cpu where not. Raises UsageError on a device that is not there."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"--device {device}: no CUDA device here; --device cpu")
    try:
        return str(torch.device(device))
    except RuntimeError as error:
        raise UsageError(f"--device {device}: {error}") from error


def write_output(
    path: Path, video: "GeneratedVideo", recipe: "Recipe", speaker: "SoundtrackPipeline | None" = None
) -> None:
    """Writes a video, with sound where there is a model of it, or the one frame of an image, and its recipe; the file appears under its
    name when it is whole."""
    from moviegen.pipelines.recipe import write_image_with, write_video_with

    if path.suffix.lower() in IMAGE_SUFFIXES:
        write_image_with(path, video.frames[0], recipe)
    else:
        sound = {} if speaker is None else sound_of(speaker, video, recipe.settings["sound"])
        write_video_with(path, video.frames, video.fps, recipe, **sound)


def sound_of(speaker: "SoundtrackPipeline", video: "GeneratedVideo", settings: Mapping[str, Any]) -> dict[str, Any]:
    """What `write_video` wants of sound for a generated video, made with the video's seed."""
    found = speaker(video.frames, fps=video.fps, seed=video.seed, **settings)
    return {"audio": found.samples[None], "sample_rate": found.sample_rate}


def describe(job: Job, video: "GeneratedVideo", seconds: float) -> str:
    """One JSON line about a file."""
    frames, height, width, _ = video.frames.shape
    return json.dumps(
        {
            "path": str(job.path), "prompt": job.prompt, "seed": job.seed, "num_frames": frames,
            "width": width, "height": height, "fps": str(video.fps), "seconds": round(seconds, 2),
        }
    )  # fmt: skip


@contextmanager
def show_progress(total: int) -> Iterator[Callable[[int, int], None]]:
    """Yields the callback of a sampling step: a bar on a terminal, a line every ten seconds elsewhere; on stderr."""
    chatter = console()
    if not sys.stderr.isatty():
        done, last = 0, time.monotonic()

        def line(step: int, num_steps: int) -> None:
            nonlocal done, last
            done += 1
            if time.monotonic() - last > 10 or done == total:
                last = time.monotonic()
                chatter.print(f"sampling: step {done} of {total}")

        yield line
        return
    from rich.progress import Progress

    with Progress(console=chatter) as progress:
        task = progress.add_task("sampling", total=total)
        yield lambda step, num_steps: progress.advance(task)
