"""`moviegen generate`: prompts in, files out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from moviegen.config import console, parse_config
from moviegen.contracts.bucket import PAPER_ASPECTS, frame_size
from moviegen.errors import UsageError
from moviegen.pipelines.host import TERMINAL, Host
from moviegen.pipelines.jobs import Job, list_jobs

if TYPE_CHECKING:
    from moviegen.pipelines.video import VideoDefaults

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
    camera: str = ""
    """Words for the camera, put in front of every prompt as in the training captions: "pan left", "tracking shot", "zoom in"."""
    rewrite: str = ""
    """Makes prompts long and plain, as the training captions are: http://HOST:PORT/v1 of any chat endpoint, or a chat model's folder. Off
    without one."""
    rewrite_model: str = ""
    """The model's name at that endpoint; a key goes into the variable MOVIEGEN_REWRITE_KEY."""
    negative_prompt: str = ""
    """What guidance leads away from."""
    num_frames: int | None = None
    aspect: str = ""
    """16:9, 4:3, 1:1, 3:4 or 9:16: the bucket's size at the model's area, instead of width and height."""
    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""
    fps: str | None = None
    """Frames a second, a number or a ratio: 16, 24000/1001."""
    num_inference_steps: int | None = None
    schedule: Literal["linear_quadratic", "linear"] = "linear_quadratic"
    """Steps in t: the paper's, whose 50 stand for 250 equal ones, or equal ones."""
    guidance_scale: float | None = None
    seed: int = 0
    """Of the noise; prompt number i of a file gets seed + i, further videos and candidates the seeds after it."""
    num_videos_per_prompt: int = 1
    """Files a prompt, each with its own seed in its name."""
    best_of: int = 1
    """Candidates a file, with as many seeds; the one with the highest `score` is kept."""
    score: str = ""
    """How candidates are judged: motion, flow, flicker, frozen; clip.alignment=FOLDER and its kin, a metric of `moviegen eval` with its
    network's path; a TorchScript .pt (clip (1, 3, T, H, W) in 0..1 -> a number); or module:function of (frames, fps, prompt)."""
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
        for name in ("batch_size", "num_videos_per_prompt", "best_of", "sound_inference_steps"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name} is {getattr(self, name)}, wanted at least 1")
        if (self.best_of > 1) != bool(self.score):
            raise UsageError("--best_of N and --score NAME go together: several candidates, and how they are judged")
        if self.soundtrack is not None and self.is_image:
            raise UsageError("an image has no sound: leave --soundtrack out, or name the output .mp4")
        if self.soundtrack is None and (self.sound or self.music):
            raise UsageError("--sound and --music are for --soundtrack MODEL, the folder of a soundtrack model")
        if self.aspect and (self.width or self.height):
            raise UsageError("give either --aspect or --width and --height")
        if self.rewrite_model and not self.rewrite:
            raise UsageError("--rewrite_model wants --rewrite http://HOST:PORT/v1")

    @property
    def is_image(self) -> bool:
        """Images are wanted, not videos."""
        return self.images if self.prompts_file else self.output.suffix.lower() in IMAGE_SUFFIXES


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
            'moviegen generate --model MODEL --prompt "a dog runs" --camera "tracking shot" --aspect 16:9 --fps 24 --output dog.mp4',
            'moviegen generate --model MODEL --prompt "a dog runs" --rewrite http://127.0.0.1:8000/v1 --rewrite_model NAME --output a.mp4',
            'moviegen generate --model MODEL --prompt "a dog runs" --best_of 5 --score motion --output dog.mp4',
        ),
    )
    run(config)
    return 0


def run(config: GenerateConfig, host: Host = TERMINAL) -> None:
    """Makes what the config says, or in a dry run says what would be made."""
    if config.soundtrack is not None and not config.soundtrack.is_dir():
        raise UsageError(f"--soundtrack {config.soundtrack}: no such folder; wanted a soundtrack model's")
    if not config.model.is_dir():
        raise UsageError(f"--model {config.model}: no such folder; a finished recipe has one, as {EXAMPLE_MODEL}")
    jobs = list_jobs(config)
    shape = wanted_shape(config)
    say_plan(config, jobs, shape)
    if config.dry_run:
        return
    from moviegen.pipelines.generating import generate

    generate(config, rewritten(config, jobs), shape, host)


def say_plan(config: GenerateConfig, jobs: Sequence[Job], shape: "VideoDefaults") -> None:
    """What will be made, on stderr; in a dry run each file too."""
    chatter = console()
    best = f", the best of {config.best_of} each by {config.score}" if config.best_of > 1 else ""
    chatter.print(
        f"{len(jobs)} {'image' if config.is_image else 'video'}{'s' if len(jobs) > 1 else ''} of "
        f"{shape.num_frames} frames, {shape.width}x{shape.height}, {float(shape.fps):g} fps; "
        f"{shape.num_inference_steps} steps, guidance {shape.guidance_scale:g}, seed {config.seed}{best}"
    )
    for job in jobs if config.dry_run else ():
        chatter.print(f"would write {job.path}: {job.prompt!r}, seed {job.seed}", markup=False)


def rewritten(config: GenerateConfig, jobs: Sequence[Job]) -> list[Job]:
    """The jobs with their prompts rewritten, each prompt once; as they are without `rewrite`."""
    if not config.rewrite:
        return list(jobs)
    from moviegen.pipelines.rewrite import load_rewriter

    rewrite = load_rewriter(config.rewrite, config.rewrite_model, choose_device(config.device))
    found: dict[str, str] = {}
    for job in jobs:
        if job.prompt not in found:
            found[job.prompt] = rewrite(job.prompt)
            console().print(f"rewritten: {job.prompt!r} -> {found[job.prompt]!r}", markup=False)
    return [replace(job, prompt=found[job.prompt], original=job.prompt) for job in jobs]


def wanted_shape(config: GenerateConfig) -> "VideoDefaults":
    """The model's defaults with what was asked for. Raises UsageError before any weight is loaded."""
    from moviegen.pipelines.video import decode_defaults, read_index, schedule_t

    defaults = decode_defaults(read_index(config.model)["defaults"])
    width, height = (config.width, config.height) if not config.aspect else aspect_size(config.aspect, defaults)
    try:
        shape = defaults.override(
            num_frames=1 if config.is_image else config.num_frames,
            width=width,
            height=height,
            fps=Fraction(config.fps) if config.fps else None,
            num_inference_steps=config.num_inference_steps,
            guidance_scale=config.guidance_scale,
        )
        schedule_t(config.schedule, shape.num_inference_steps)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"moviegen generate: {error}") from error
    return shape


def aspect_size(aspect: str, defaults: "VideoDefaults") -> tuple[int, int]:
    """(width, height) of an aspect's bucket at the area of the model's default frame. Raises UsageError listing the aspects."""
    names = {f"{each.aspect_width}:{each.aspect_height}": each for each in PAPER_ASPECTS}
    if aspect not in names:
        raise UsageError(f"--aspect {aspect}: one of {', '.join(names)}")
    return frame_size(names[aspect], round((defaults.width * defaults.height) ** 0.5))


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
