"""`moviegen demo`: raw video to shards, to trained models, to generated clips, with the same commands a person would type.

Each step is printed as its command and run as a process of its own, so that curation and training meet on disk alone. A second
run finds everything committed and redoes nothing.
"""

import os
import shutil
import sysconfig
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from moviegen.config import parse_config
from moviegen.demo_clips import PROMPTS, Generation, find_model, find_trained, read_prompts, write_prompts
from moviegen.errors import UsageError
from moviegen.steps import Steps

SCORES_QUESTION = '"select detector, metric, avg(score) from scores group by all order by all"'

VIDEO_SUFFIXES = {".mp4", ".mkv", ".webm", ".mov", ".avi"}


@dataclass(frozen=True)
class DemoConfig:
    """What `moviegen demo` can be told."""

    output: Path = Path("demo")
    """Folder for everything the demo makes."""
    videos: Path | None = None
    """Folder of your own videos, curated beside the others; a `.txt` beside a video is its caption."""
    num_clips: int = 120
    """Good toy-world clips; faults are planted beside them."""
    seed: int = 7
    """Of the toy world."""
    recipe: Path = Path("configs/recipes/tiny.yaml")
    """Stages to train."""
    minutes: dict[str, float] = field(default_factory=lambda: {"tae_64px": 0.6, "t2i_64px": 0.8, "t2v_64px": 1.5})
    """Most minutes of each stage, so that the demo ends soon; the recipe's own steps take an hour and more."""
    num_judged: int = 64
    """Prompts that are generated and judged by the oracle, the shown ones included."""
    models: Path = Path("world/models")
    """Folder of the laboratory's trained models (`make world`, or a build's artefact): where they are, they make the same clips."""
    dry_run: bool = False
    """Print the commands and do nothing."""


@dataclass(frozen=True)
class Places:
    """Where the demo's things lie."""

    root: Path

    @property
    def videos(self) -> Path:
        """Raw files, all kinds."""
        return self.root / "videos"

    @property
    def lake(self) -> Path:
        """Tables and shards."""
        return self.root / "lake"

    @property
    def runs(self) -> Path:
        """Stages and models."""
        return self.root / "runs"

    @property
    def generated(self) -> Path:
        """Clips made from prompts."""
        return self.root / "generated"

    @property
    def generated_trained(self) -> Path:
        """Clips of the same prompts by the laboratory's model."""
        return self.root / "generated_trained"


def home() -> Path:
    """The folder that holds `configs/`: the clone, or where the wheel put it. Raises UsageError when there is none."""
    for folder in (Path(__file__).resolve().parents[1], Path(sysconfig.get_path("data")) / "share" / "moviegen"):
        if (folder / "configs" / "recipes").is_dir():
            return folder
    raise UsageError("no configs/ folder beside the package: run the demo from a clone of the repository")


def main(argv: list[str]) -> int:
    """Runs the demo. Exit code 0 when every step did its work."""
    config, _ = parse_config(
        DemoConfig,
        argv,
        prog="moviegen demo",
        summary="Curate real and toy clips, train a tiny autoencoder and a tiny video DiT on them, generate, look.",
        examples=["moviegen demo", "moviegen demo --output out --videos my/videos", "moviegen demo --dry-run"],
    )
    places, started = Places(config.output.resolve()), time.monotonic()
    steps = Steps("demo", 5, config.dry_run, home())
    steps.title(1, "raw video: real clips, and toy-world clips with planted faults")
    steps.run(
        "world", "--output", places.videos / "toy", "--seed", config.seed, "--num_clips", config.num_clips, show=False
    )
    if not config.dry_run:
        print(f"  {copy_real_videos(places.videos / 'real', config.videos)} real clips in {places.videos / 'real'}")
    steps.title(2, "curation: ingest, split, score, filter, caption, shard, check, report")
    steps.run(
        "curate", "run", "--config", "configs/curation/demo.yaml", "--input", places.videos, "--lake", places.lake
    )
    steps.title(3, "training: the autoencoder, its latents, the video DiT on images, then on images and video")
    limits = [word for stage, minutes in config.minutes.items() for word in (f"--max_time.{stage}", clock(minutes))]
    steps.run("train", "run", config.recipe, "--lake", places.lake, "--output", places.runs, *limits)
    steps.title(4, "generation")
    model = find_model(places.runs) if not config.dry_run else places.runs / "<last stage>" / "model"
    prompts_file = places.root / "prompts.txt"
    if not config.dry_run:
        write_prompts(prompts_file, config.num_judged)
    generations = [Generation(model, places.generated, "the model of this demo")]
    if trained := find_trained(config.models.resolve()):
        generations.append(Generation(trained, places.generated_trained, "the laboratory's model"))
    for generation in generations:
        generation.run(steps, prompts_file)
    if config.dry_run:
        return 0
    steps.title(5, "what came out")
    from moviegen.demo_page import show

    show(places, steps.outputs_of("stats"), generations, read_prompts(prompts_file), len(PROMPTS))
    farewell(places, model, time.monotonic() - started)
    return 0


def clock(minutes: float) -> str:
    """Minutes as Lightning's DD:HH:MM:SS."""
    seconds = round(minutes * 60)
    return f"{seconds // 86400:02d}:{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def copy_real_videos(target: Path, own: Path | None) -> int:
    """How many real clips lie in `target` after copying those of the set-up and the user's, each with its sidecar caption.

    A file already there with the same size is left alone. Raises UsageError when the user's folder does not exist.
    """
    from moviegen.doctor import demo_videos

    folders = [demo_videos()] if demo_videos().is_dir() else []
    if own is not None:
        if not own.is_dir():
            raise UsageError(f"--videos {own}: no such folder")
        folders.append(own)
    target.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES):
            place = target / path.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            for source, goal in (
                (path, place),
                *((path.with_suffix(s), place.with_suffix(s)) for s in (".txt", ".json")),
            ):
                if source.exists() and not (goal.exists() and goal.stat().st_size == source.stat().st_size):
                    shutil.copy2(source, goal)
    return sum(path.suffix.lower() in VIDEO_SUFFIXES for path in target.rglob("*"))


def farewell(places: Places, model: Path, seconds: float) -> None:
    """Prints where everything lies and three commands to try next."""
    rows = {
        "the page to open first": places.root / "index.html",
        "curation report": places.lake / "report.html",
        "tables and shards": places.lake,
        "models and loss curves": places.runs,
        "generated clips": places.generated,
        "contact sheet": places.root / "generated.png",
    }
    print(f"\ndone in {seconds / 60:.1f} min")
    for name, path in rows.items():
        print(f"  {name:<24}{_short(path)}")
    print("\ntry next:")
    for command in next_commands(places, model):
        print(f"  {command}")


def next_commands(places: Places, model: Path) -> Sequence[str]:
    """Three commands that a newcomer can paste."""
    return (
        f'moviegen generate --model {_short(model)} --prompt "a purple star moves up" --output star.mp4',
        f"moviegen stats {_short(places.lake)} rejections",
        " ".join(("moviegen stats", _short(places.lake), SCORES_QUESTION)),
    )


def _short(path: Path) -> str:
    """The path as seen from here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
