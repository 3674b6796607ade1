"""`moviegen upsample`: films in, larger films out, their sound kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviegen.config import console, parse_config
from moviegen.errors import UsageError
from moviegen.pipelines.film_jobs import (
    FilmJob,
    check_model,
    job_recipe,
    list_film_jobs,
    run_jobs,
    workplace,
)
from moviegen.pipelines.generate_cli import VIDEO_SUFFIXES, choose_device
from moviegen.pipelines.host import TERMINAL, Host

if TYPE_CHECKING:
    from moviegen.media.chunks import Survey
    from moviegen.pipelines.recipe import Recipe
    from moviegen.pipelines.upsample import UpsamplePipeline, UpsampleSettings

EXAMPLE_MODEL = "runs/upsampler/model"


@dataclass(frozen=True)
class UpsampleConfig:
    """What to enlarge. A value left out is the model's own default."""

    video: Path
    """A video file, or a folder of them."""
    model: Path
    """Folder of an upsampler: model_index.json, tae/, upsampler/, text_<i>/."""
    output: Path
    """A .mp4 or .mkv; for a folder of videos or several outputs a folder."""
    height: int | None = None
    """Pixels: 1080 for full HD. Alone it keeps the film's shape; without height and width the film grows by the model's scale."""
    width: int | None = None
    """Pixels."""
    prompt: str = ""
    """What the film shows, as it was generated with; may be left out."""
    negative_prompt: str = ""
    """What guidance leads away from."""
    num_inference_steps: int = 20
    guidance_scale: float | None = None
    """Of the prompt; without one there is no guidance."""
    window_frames: int | None = None
    """Frames of a window in time; 14, or what the model has positions for."""
    window_overlap: int | None = None
    """Frames that a window shares with the next; 4."""
    tile_px: int | None = None
    """Side of the tiles that a frame is made in; without it as large as the model has positions for. Smaller takes less memory."""
    crf: int = 18
    """Of H.264: smaller is better and larger."""
    seed: int = 0
    """Of the noise."""
    num_outputs: int = 1
    """Files a film, with seeds seed, seed + 1, ..."""
    device: str = "auto"
    """cpu, cuda, or auto: cuda where there is one."""
    overwrite: bool = False
    """Make files again that lie there already with the same recipe; else they are left, so a stopped run goes on."""
    dry_run: bool = False
    """Say what would be made and where, load no weights, write nothing."""
    json: bool = False
    """Print one JSON line a file on stdout instead of its path."""


def main(argv: Sequence[str]) -> int:
    """Enlarges and writes; prints the path of each file on stdout as soon as it lies there."""
    config, _ = parse_config(
        UpsampleConfig,
        argv,
        prog="moviegen upsample",
        summary="A film made larger, to 1080p or any size; frame count and sound stay.",
        examples=(
            "moviegen upsample clip.mp4 --model runs/upsampler/model --output large.mp4 --height 1080",
            'moviegen upsample clip.mp4 --model runs/upsampler/model --output large.mp4 --prompt "a red circle moves left"',
            "moviegen upsample clips/ --model runs/upsampler/model --output large/ --width 1920 --height 1080 --tile_px 512",
        ),
        positionals=("video",),
    )
    run(config)
    return 0


def run(config: UpsampleConfig, host: Host = TERMINAL) -> None:
    """Makes what the config says, or in a dry run says what would be made."""
    check_model(config.model, EXAMPLE_MODEL)
    if not 0 <= config.crf <= 51:
        raise UsageError(f"--crf is {config.crf}, wanted 0..51")
    jobs = list_film_jobs(config.video, config.output, VIDEO_SUFFIXES, config.num_outputs, config.seed)
    if config.dry_run:
        say_plan(config, jobs)
    else:
        upsample(config, jobs, host)


def say_plan(config: UpsampleConfig, jobs: Sequence[FilmJob]) -> None:
    """What would be made, by the headers."""
    from moviegen.media.probe import probe
    from moviegen.media.worker import guarded_call
    from moviegen.pipelines.product import values_of
    from moviegen.pipelines.upsample import PIPELINE, read_values, target_size

    _, scale = read_values(values_of(config.model, PIPELINE))
    for job in jobs:
        found = guarded_call(probe, job.video)
        height, width = target_size(found.height, found.width, config.height, config.width, scale)
        console().print(
            f"would write {job.path}: {found.num_frames or 'its'} frames of {width}x{height} from {found.width}x{found.height}, "
            f"{config.num_inference_steps} steps, seed {job.seed}, {'sound kept' if found.has_audio else 'no sound'}",
            markup=False,
        )


def upsample(config: UpsampleConfig, jobs: Sequence[FilmJob], host: Host = TERMINAL) -> None:
    """Loads the model and makes the jobs' files."""
    from moviegen.media.chunks import survey_film
    from moviegen.pipelines.recipe import make_recipe, steady
    from moviegen.pipelines.upsample import UpsamplePipeline

    device = choose_device(config.device)
    steady()
    pipeline = host.load(UpsamplePipeline, config.model, device)
    source = "compositeWithTrainedAlgorithmicMedia"
    base = make_recipe("upsample", {}, models={"model": config.model}, device=device, source=source)  # type: ignore[arg-type]
    surveys: dict[Path, Survey] = {}

    def recipe_of(job: FilmJob) -> "Recipe":
        film = job.video
        assert film is not None
        surveys.clear()
        surveys[film] = survey_film(film)
        settings = job_settings(config, pipeline, surveys[film], job.seed)
        return job_recipe(base, {**encode_settings(settings), "crf": config.crf}, {"video": film})

    def make(job: FilmJob, recipe: "Recipe") -> Mapping[str, Any]:
        assert job.video is not None
        write_large(pipeline, job.video, surveys[job.video], job.path, recipe, host)
        return {name: recipe.settings[name] for name in ("num_frames", "width", "height", "fps")}

    run_jobs(jobs, recipe_of, make, overwrite=config.overwrite, as_json=config.json, host=host)


def job_settings(config: UpsampleConfig, pipeline: "UpsamplePipeline", film: "Survey", seed: int) -> "UpsampleSettings":
    """All that decides a file. Raises UsageError on what cannot be made."""
    return pipeline.settings(
        (film.num_frames, film.height, film.width), height=config.height, width=config.width, fps=film.fps,
        prompt=config.prompt, negative_prompt=config.negative_prompt, num_inference_steps=config.num_inference_steps,
        guidance_scale=config.guidance_scale, window_frames=config.window_frames,
        window_overlap=config.window_overlap, tile_px=config.tile_px, seed=seed,
    )  # fmt: skip


def encode_settings(settings: "UpsampleSettings") -> dict[str, Any]:
    """As plain JSON values."""
    return {**vars(settings), "fps": str(settings.fps)}


def write_large(
    pipeline: "UpsamplePipeline", film: Path, survey: "Survey", path: Path, recipe: "Recipe", host: Host
) -> None:
    """Enlarges a film by its recipe: the frames stream from the worker through the network into the encoder, the sound is copied."""
    from moviegen.media.chunks import iter_chunks
    from moviegen.media.mux import CONTAINERS, mux_films
    from moviegen.media.write import write_video
    from moviegen.pipelines.recipe import tags_of
    from moviegen.pipelines.upsample import UpsampleSettings

    values = dict(recipe.settings)
    crf = values.pop("crf")
    settings = UpsampleSettings(**{**values, "fps": Fraction(values["fps"])})
    with workplace(path, recipe) as (folder, out), host.steps() as advance:
        frames = pipeline.stream(iter_chunks(film, survey), settings, advance)
        picture = folder / "picture.mp4"  # Matroska would round the times to milliseconds
        write_video(picture, (frame for piece in frames for frame in piece), settings.fps, crf=crf)
        sound = {"sound_from": film} if survey.has_audio else {}
        mux_films(picture, out, container=CONTAINERS[path.suffix.lower()], tags=tags_of(recipe), **sound)


def remake(recipe: "Recipe", places: Mapping[str, Path], output: Path, device: str, host: Host = TERMINAL) -> None:
    """Makes a file of this verb again, for `moviegen reproduce`."""
    from moviegen.media.chunks import survey_film
    from moviegen.pipelines.upsample import UpsamplePipeline

    pipeline = host.load(UpsamplePipeline, places["model"], device)
    write_large(pipeline, places["video"], survey_film(places["video"]), output, recipe, host)
