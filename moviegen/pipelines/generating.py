"""The files of `moviegen generate`: batches, candidates and the best of them, what lies there already, and making one again."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviegen.config import console
from moviegen.pipelines.generate_cli import IMAGE_SUFFIXES, GenerateConfig, choose_device
from moviegen.pipelines.host import TERMINAL, Advance, Host
from moviegen.pipelines.jobs import Job
from moviegen.pipelines.recipe import Recipe, is_made, make_recipe, steady, tags_of, write_image_with, write_video_with
from moviegen.pipelines.scoring import Score, best_of, describe_score, load_score
from moviegen.pipelines.video import GeneratedVideo, VideoDefaults, VideoPipeline, decode_defaults, encode_defaults

if TYPE_CHECKING:
    from moviegen.pipelines.soundtrack import SoundtrackPipeline

CHOSEN = ("seed", "place", "batch", "scores")
"""Settings that are known only once the best candidate is."""

REWRITTEN = ("prompt", "batch")
"""Settings that another answer of the rewriter would change: a file whose user asked for the same is not made again for it."""


def generate(config: GenerateConfig, jobs: Sequence[Job], shape: VideoDefaults, host: Host = TERMINAL) -> None:
    """Loads the model, makes the jobs' files, tells of each. What lies there already, made just so, is not made again."""
    device = choose_device(config.device)
    score = load_score(config.score, device) if config.best_of > 1 else None
    steady()
    base = make_recipe("generate", {}, models=model_places(config), device=device)
    groups = groups_of(config, jobs)
    check_length(config, groups, shape, base)
    left = [group for group in groups if config.overwrite or not all_made(config, group, shape, base)]
    if not left:
        return
    pipeline = host.load(VideoPipeline, config.model, device)
    speaker = load_soundtrack(config.soundtrack, device, host)
    num_batches = sum(-(-len(group) * config.best_of // config.batch_size) for group in left)
    with host.progress(num_batches * shape.num_inference_steps) as advance:
        for group in left:
            start = time.monotonic()
            make = make_group if score is None else make_best
            for job, video, settings in make(pipeline, config, group, shape, score, advance):
                write_output(job.path, video, replace(base, settings=settings), speaker)
                seconds = (time.monotonic() - start) / len(group)
                host.made(job.path, describe(job, video, seconds), config.json)


def model_places(config: GenerateConfig) -> dict[str, Path]:
    """Name of each product folder that is used -> where it is."""
    return {"model": config.model} | ({} if config.soundtrack is None else {"soundtrack": config.soundtrack})


def load_soundtrack(folder: Path | None, device: str, host: Host) -> "SoundtrackPipeline | None":
    """The soundtrack model of a folder, if there is one."""
    from moviegen.pipelines.soundtrack import SoundtrackPipeline

    return None if folder is None else host.load(SoundtrackPipeline, folder, device)


def groups_of(config: GenerateConfig, jobs: Sequence[Job]) -> list[Sequence[Job]]:
    """Jobs that are made together: a batch, or one where candidates are chosen from."""
    size = config.batch_size if config.best_of == 1 else 1
    return [jobs[i : i + size] for i in range(0, len(jobs), size)]


def check_length(config: GenerateConfig, groups: Sequence[Sequence[Job]], shape: VideoDefaults, base: Recipe) -> None:
    """Raises UsageError when a prompt is too long for a file to hold its recipe."""
    for group in groups:
        for row in settings_of(config, group, [(job.prompt, job.seed) for job in group], shape):
            tags_of(replace(base, settings=row))


def all_made(config: GenerateConfig, group: Sequence[Job], shape: VideoDefaults, base: Recipe) -> bool:
    """Do all files of a group lie there, made just so? They are told then."""
    ignored = (*(CHOSEN if config.best_of > 1 else ()), *(REWRITTEN if config.rewrite else ()))
    rows = settings_of(config, group, [(job.prompt, job.seed) for job in group], shape)
    is_whole = all(
        is_made(job.path, replace(base, settings=row), ignored) for job, row in zip(group, rows, strict=True)
    )
    for job in group if is_whole else ():
        console().print(f"there already: {job.path}", markup=False)
    return is_whole


def settings_of(
    config: GenerateConfig, jobs: Sequence[Job], batch: Sequence[tuple[str, int]], shape: VideoDefaults
) -> list[dict[str, Any]]:
    """The settings of each file of a batch, which is told with them: beside others sums are done in another order."""
    shared = {
        **encode_defaults(shape), "negative_prompt": config.negative_prompt, "schedule": config.schedule,
        "batch": [list(each) for each in batch],
    }  # fmt: skip
    if config.soundtrack is not None:
        shared["sound"] = {
            "prompt": config.sound, "music": config.music, "num_inference_steps": config.sound_inference_steps,
        }  # fmt: skip
    if config.best_of > 1:
        shared |= {"best_of": config.best_of, **describe_score(config.score)}
    return [
        {"prompt": job.prompt, "seed": job.seed, "place": i, **shared}
        | ({"first_seed": job.seed} if config.best_of > 1 else {})
        | (
            {"original_prompt": job.original, "rewritten_by": config.rewrite_model or "a local model"}
            if job.original
            else {}
        )
        for i, job in enumerate(jobs)
    ]


Made = Iterator[tuple[Job, GeneratedVideo, dict[str, Any]]]


def make_group(
    pipeline: VideoPipeline,
    config: GenerateConfig,
    group: Sequence[Job],
    shape: VideoDefaults,
    score: None,
    advance: Advance,
) -> Made:
    """(job, video, settings) of a batch."""
    rows = settings_of(config, group, [(job.prompt, job.seed) for job in group], shape)
    yield from zip(group, sample(pipeline, rows[0], advance), rows, strict=True)


def make_best(
    pipeline: VideoPipeline,
    config: GenerateConfig,
    group: Sequence[Job],
    shape: VideoDefaults,
    score: Score,
    advance: Advance,
) -> Made:
    """The best candidate of one job; no more than a batch and the best so far are held."""
    (job,) = group
    scores: list[float] = []
    kept: tuple[GeneratedVideo, dict[str, Any]] | None = None
    for first in range(0, config.best_of, config.batch_size):
        seeds = [job.seed + i for i in range(first, min(first + config.batch_size, config.best_of))]
        (row,) = settings_of(config, group, [(job.prompt, seed) for seed in seeds], shape)
        videos = sample(pipeline, row, advance)
        scores += [score(video.frames, video.fps, job.original or job.prompt) for video in videos]
        place = best_of(scores) - first if not all(map(math.isnan, scores)) else 0
        if place >= 0:
            kept = videos[place], row | {"seed": seeds[place], "place": place}
    best_of(scores)  # says so when none of them is a number
    assert kept is not None
    video, row = kept
    console().print(f"{job.path}: seed {row['seed']} is best of {[round(each, 4) for each in scores]}", markup=False)
    yield (
        replace(job, seed=row["seed"]),
        video,
        row | {"scores": [None if math.isnan(each) else each for each in scores]},
    )


def sample(
    pipeline: VideoPipeline, settings: Mapping[str, Any], advance: Advance | None = None
) -> list[GeneratedVideo]:
    """The videos of a batch, by the settings in the recipe of any of them."""
    shape = decode_defaults({name: settings[name] for name in encode_defaults(pipeline.defaults)})
    return pipeline(  # type: ignore[return-value]
        [prompt for prompt, _ in settings["batch"]],
        negative_prompt=settings["negative_prompt"],
        **vars(shape),
        schedule=settings["schedule"],
        seed=[seed for _, seed in settings["batch"]],
        callback=advance,
    )


def remake(recipe: Recipe, places: Mapping[str, Path], output: Path, device: str, host: Host = TERMINAL) -> None:
    """Makes a file of this verb again, for `moviegen reproduce`."""
    pipeline = host.load(VideoPipeline, places["model"], device)
    with host.progress(recipe.settings["num_inference_steps"]) as advance:
        videos = sample(pipeline, recipe.settings, advance)
    speaker = load_soundtrack(places.get("soundtrack"), device, host)
    write_output(output, videos[recipe.settings["place"]], recipe, speaker)


def write_output(
    path: Path, video: GeneratedVideo, recipe: Recipe, speaker: "SoundtrackPipeline | None" = None
) -> None:
    """Writes a video, with sound where there is a model of it, or the one frame of an image, and its recipe; the file appears under its
    name when it is whole."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        write_image_with(path, video.frames[0], recipe)
    else:
        sound = {} if speaker is None else sound_of(speaker, video, recipe.settings["sound"])
        write_video_with(path, video.frames, video.fps, recipe, **sound)


def sound_of(speaker: "SoundtrackPipeline", video: GeneratedVideo, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What `write_video` wants of sound for a generated video, made with the video's seed."""
    found = speaker(video.frames, fps=video.fps, seed=video.seed, **settings)
    return {"audio": found.samples[None], "sample_rate": found.sample_rate}


def describe(job: Job, video: GeneratedVideo, seconds: float) -> dict[str, Any]:
    """What there is to say of a file."""
    frames, height, width, _ = video.frames.shape
    return {
        "prompt": job.prompt, "seed": job.seed, "num_frames": frames, "width": width, "height": height,
        "fps": str(video.fps), "seconds": round(seconds, 2),
    }  # fmt: skip
