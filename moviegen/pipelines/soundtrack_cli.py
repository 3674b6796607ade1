"""`moviegen soundtrack`: films in, films with sound out; or words in, sound out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from moviegen.config import console, parse_config
from moviegen.errors import UsageError
from moviegen.pipelines.film_jobs import (
    FilmJob,
    check_model,
    job_recipe,
    list_film_jobs,
    run_jobs,
)
from moviegen.pipelines.generate_cli import VIDEO_SUFFIXES, choose_device
from moviegen.pipelines.host import TERMINAL, Host
from moviegen.pipelines.sound_choice import check_score, models_of

if TYPE_CHECKING:
    from moviegen.pipelines.recipe import Recipe
    from moviegen.pipelines.sound_film import Film
    from moviegen.pipelines.sound_settings import SoundSettings
    from moviegen.pipelines.soundtrack import SoundtrackPipeline

EXAMPLE_MODEL = "runs/audio/model"


@dataclass(frozen=True)
class SoundtrackConfig:
    """What to make."""

    model: Path
    """Folder of a soundtrack model: model_index.json, audio_codec/, audio_dit/, vision/, text_<i>/."""
    output: Path
    """A .mp4 or .mkv (the film, its pictures copied, with the sound) or a .wav; for several a folder."""
    video: Path | None = None
    """A video file, or a folder of them; without it --duration_s and a .wav."""
    duration_s: float | None = None
    """Seconds of sound, where there is no video."""
    prompt: str = ""
    """What is heard; may be left out with a video."""
    music: str = ""
    """What the music is like, if there shall be any."""
    quality: float | None = None
    """1 to 10, part of the text; 7 as the paper, 8 with music."""
    music_probability: float | None = None
    """0 to 1, part of the text; 0.01 as the paper, 0.90 with music."""
    speech: bool = False
    """Whether there is speech."""
    singing: bool = False
    """Whether there is singing."""
    num_inference_steps: int = 64
    """Steps of the midpoint method."""
    guidance_scale: float | None = None
    """By text and film; left out, the model's own, the paper's 3 where it says none. Sound of several windows is guided by a ramp with this
    mean."""
    mode: Literal["multidiffusion", "autoregressive"] = "multidiffusion"
    """How sound that is longer than a window is made: all windows together, or one after the other."""
    window_s: float | None = None
    """Seconds that are made at once; left out, the longest sound that the model was trained on."""
    context_s: float | None = None
    """Seconds that a window shares with the one before; left out, a third of it."""
    num_candidates: int = 1
    """Sounds of which the best by --score is kept; the paper makes 8."""
    score: str = "sync"
    """`sync` (sound begins when the picture jumps), a TorchScript file: waveform (1, N) -> a number, or `models`: --sync_model and
    --quality_model together."""
    sync_model: Path | None = None
    """TorchScript: frames (1, T, 3, 224, 224) in 0..1 and samples (1, N) at 16 kHz -> two embeddings, whose cosine counts; as ImageBind."""
    quality_model: Path | None = None
    """TorchScript: samples (1, N) at 16 kHz -> how good; as AQual or audiobox-aesthetics."""
    rerank: Literal["whole", "segments"] = "whole"
    """`segments`: with --mode autoregressive the best goes on after every segment; `whole`: each candidate by itself to its end."""
    keep: str = ""
    """Seconds of sound that is there already, to be kept while the rest is made: 0-10 extends it, 0-2,4- fills a gap."""
    sound: Path | None = None
    """Where that sound is; the video itself if not given."""
    seed: int = 0
    """Of the noise; candidate number i has seed + i."""
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

    def __post_init__(self) -> None:
        if (self.video is None) == (self.duration_s is None):
            raise UsageError("give either a VIDEO or --duration_s SECONDS")
        if self.video is None and self.output.suffix.lower() in VIDEO_SUFFIXES:
            raise UsageError(f"--output {self.output}: without a video it is a .wav")
        if self.duration_s is not None and not 0 < self.duration_s < float("inf"):
            raise UsageError(f"--duration_s is {self.duration_s}, wanted more than 0")
        if self.video is None and not (self.prompt or self.music):
            raise UsageError("without a video say what is heard: --prompt TEXT or --music TEXT")
        if self.sound is not None and not self.keep:
            raise UsageError("--sound is for sound that stays: say which seconds with --keep, as 0-10")
        if self.keep and self.video is None and self.sound is None:
            raise UsageError("--keep: without a video give the sound's file with --sound")


def main(argv: Sequence[str]) -> int:
    """Makes and writes; prints the path of each file on stdout as soon as it lies there."""
    config, _ = parse_config(
        SoundtrackConfig,
        argv,
        prog="moviegen soundtrack",
        summary="Sound for a film, with or without words, of any length; or sound for words alone.",
        examples=(
            "moviegen soundtrack clip.mp4 --model runs/audio/model --output loud.mp4",
            'moviegen soundtrack clip.mp4 --model runs/audio/model --output loud.mp4 --prompt "waves" --num_candidates 8',
            'moviegen soundtrack clip.mp4 --model runs/audio/model --output loud.mp4 --music "slow piano" --mode autoregressive',
            "moviegen soundtrack clip.mp4 --model runs/audio/model --output longer.mp4 --keep 0-10",
            'moviegen soundtrack --duration_s 60 --prompt "rain" --model runs/audio/model --output rain.wav',
        ),
        positionals=("video",),
    )
    run(config)
    return 0


def run(config: SoundtrackConfig, host: Host = TERMINAL) -> None:
    """Makes what the config says, or in a dry run says what would be made."""
    check_model(config.model, EXAMPLE_MODEL)
    first = ".mp4" if config.video is not None else ".wav"
    suffixes = (*VIDEO_SUFFIXES, ".wav")
    jobs = list_film_jobs(config.video, config.output, suffixes, config.num_outputs, config.seed, first)
    text = caption_of(config)
    check_score(config)
    if config.dry_run:
        say_plan(config, jobs, text)
    else:
        soundtrack(config, jobs, text, host)


def caption_of(config: SoundtrackConfig) -> str:
    """The six fields by the flags. Raises UsageError naming the field that is off."""
    from moviegen.pipelines.sound_film import parse_spans, sound_caption

    parse_spans(config.keep)
    try:
        return sound_caption(
            config.prompt, config.music, quality=config.quality, music_probability=config.music_probability,
            has_speech=config.speech, has_singing=config.singing,
        )  # fmt: skip
    except ValueError as error:
        raise UsageError(f"moviegen soundtrack: {error}") from error


def say_plan(config: SoundtrackConfig, jobs: Sequence[FilmJob], text: str) -> None:
    """What would be made, by the headers."""
    from moviegen.media.probe import probe
    from moviegen.media.worker import guarded_call
    from moviegen.pipelines.product import values_of
    from moviegen.pipelines.soundtrack import PIPELINE, read_values

    _, own = read_values(values_of(config.model, PIPELINE))
    guidance = own if config.guidance_scale is None else config.guidance_scale
    for job in jobs:
        seconds = config.duration_s if job.video is None else guarded_call(probe, job.video).duration
        length = "sound of unknown length" if seconds is None else f"{seconds:.3f} s of sound"
        console().print(
            f"would write {job.path}: {length}, {config.num_inference_steps} steps, guidance {guidance:g}, "
            f"{config.num_candidates} candidates, seed {job.seed}, text {text!r}",
            markup=False,
        )


def soundtrack(config: SoundtrackConfig, jobs: Sequence[FilmJob], text: str, host: Host = TERMINAL) -> None:
    """Loads the model and makes the jobs' files."""
    from moviegen.pipelines.recipe import make_recipe, steady
    from moviegen.pipelines.sound_files import write_sound
    from moviegen.pipelines.soundtrack import SoundtrackPipeline

    device = choose_device(config.device)
    steady()
    pipeline = host.load(SoundtrackPipeline, config.model, device)
    base = make_recipe("soundtrack", {}, models={"model": config.model}, device=device, source=source_of(config.keep))
    films: dict[Path | None, Film | None] = {}

    def recipe_of(job: FilmJob) -> "Recipe":
        films.clear()
        films[job.video] = film = read_film(job.video)
        settings = job_settings(config, pipeline, film, text, job.seed)
        inputs = {"video": job.video, "sound": config.sound}
        if config.score == "models":
            inputs |= models_of(config)
        elif config.num_candidates > 1 and config.score != "sync":
            inputs["score"] = Path(config.score)
        chosen = {"score": "score" if "score" in inputs else config.score, "keep": config.keep}
        return job_recipe(base, {**vars(settings), **chosen}, {n: p for n, p in inputs.items() if p is not None})

    def make(job: FilmJob, recipe: "Recipe") -> Mapping[str, Any]:
        places = {name: Path(place) for name, place in recipe.places.items()}
        return write_sound(pipeline, films[job.video], places, job.path, recipe, host)

    run_jobs(jobs, recipe_of, make, overwrite=config.overwrite, as_json=config.json, host=host)


def source_of(keep: str) -> Any:
    """IPTC's word: all of the sound is made, or some of it was there."""
    return "compositeWithTrainedAlgorithmicMedia" if keep else "trainedAlgorithmicMedia"


def read_film(path: Path | None) -> "Film | None":
    """The film of a file, counted."""
    from moviegen.pipelines.sound_film import film_of_file

    return None if path is None else film_of_file(path)


def job_settings(
    config: SoundtrackConfig, pipeline: "SoundtrackPipeline", film: "Film | None", text: str, seed: int
) -> "SoundSettings":
    """All that decides a sound. Raises UsageError on what cannot be made."""
    from moviegen.pipelines.sound_settings import SoundSettings

    duration = film.duration if film is not None else Fraction(config.duration_s)  # type: ignore[arg-type]
    try:
        return SoundSettings(
            pipeline.num_samples(duration), text, config.num_inference_steps,
            pipeline.guidance_or_own(config.guidance_scale), config.mode,
            *pipeline.window_and_context(config.window_s, config.context_s), config.num_candidates, seed,
            config.rerank,
        )  # fmt: skip
    except ValueError as error:
        raise UsageError(f"moviegen soundtrack: {error}") from error


def remake(recipe: "Recipe", places: Mapping[str, Path], output: Path, device: str, host: Host = TERMINAL) -> None:
    """Makes a file of this verb again, for `moviegen reproduce`."""
    from moviegen.pipelines.sound_files import write_sound
    from moviegen.pipelines.soundtrack import SoundtrackPipeline

    pipeline = host.load(SoundtrackPipeline, places["model"], device)
    write_sound(pipeline, read_film(places.get("video")), places, output, recipe, host)
