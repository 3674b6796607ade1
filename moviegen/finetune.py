"""`moviegen finetune`: a trained video model on a folder of one's own videos, with the same commands a person would type.

The folder is curated with a light config (a `.txt` beside a video is its caption), its latents are cached with the model's own
autoencoder, the transformer is trained (adapters, or all of it), and the result is a model folder like any other, with a sample of before
and after. The same command goes on where it stopped.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviegen.config import parse_config
from moviegen.contracts.bucket import PAPER_ASPECTS, AspectBucket, frame_size
from moviegen.demo import home
from moviegen.errors import UsageError
from moviegen.steps import Steps

if TYPE_CHECKING:
    from moviegen.pipelines.video import VideoDefaults

SUBSET = "finetune"
CAPTIONS = "select caption, video_id from samples join clips using (clip_id) where subset = 'finetune' order by clip_id"
FEW = 10
"""Videos below which none is held out: clips are held out by video, and one may be all that there is."""

MIN_S, MAX_S = 1.0, 16.01
"""Seconds of a clip; its frames are spread evenly over it, and the model is told the rate [S §3.1.4]."""


@dataclass(frozen=True)
class Adapters:
    """Low-rank adapters."""

    rank: int = 16
    """Directions in which each matrix can change."""
    alpha: float = 16.0
    """They are multiplied by alpha / rank."""


@dataclass(frozen=True)
class FinetuneConfig:
    """On what, and how."""

    videos: Path
    """Folder of videos; a `.txt` beside a video is its caption, others are described by a template."""
    model: Path
    """Folder of a video model: RUNS/04_t2v_64px/model, or what `moviegen export` wrote."""
    output: Path
    """Folder for all that is made: lake/, encode/, run/, model/, samples."""
    lora: Adapters = field(default_factory=Adapters)
    full: bool = False
    """Train the whole transformer instead of adapters."""
    steps: int = 500
    """Optimiser steps."""
    clips_per_step: int = 4
    """Of the largest shape; smaller ones get as many as cost the same."""
    lr: float = 0.0
    """Learning rate; 0: 2e-4 for adapters, 2e-5 for the whole transformer (our decision)."""
    prompt: str = ""
    """What the samples of before and after show; a caption of the folder when not given."""
    curation: Path = Path("configs/curation/finetune.yaml")
    """How the folder is curated."""
    seed: int = 0
    """Of the training and of the samples."""
    dry_run: bool = False
    """Print the commands and do nothing."""

    def __post_init__(self) -> None:
        for name in ("steps", "clips_per_step"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, wanted at least 1")
        if self.lora.rank < 1:
            raise ValueError(f"lora.rank is {self.lora.rank}, wanted at least 1")


def main(argv: Sequence[str]) -> int:
    """Runs the steps. Exit code 0 when each did its work, else that of the one that failed."""
    config, _ = parse_config(
        FinetuneConfig, argv, prog="moviegen finetune", positionals=("videos",),
        summary="Finetune a trained video model on a folder of your own videos: curate, encode, train, export, sample.",
        examples=["moviegen finetune my/videos --model runs/04_t2v_64px/model --output tuned",
                  "moviegen finetune my/videos --model runs/04_t2v_64px/model --output tuned --lora.rank 4 --steps 200",
                  "moviegen finetune my/videos --model runs/04_t2v_64px/model --output tuned --full"],
    )  # fmt: skip
    for name in ("videos", "model"):
        if not getattr(config, name).is_dir():
            raise UsageError(f"moviegen finetune: {getattr(config, name)}: no such folder; wanted --{name} FOLDER")
    curation = (
        config.curation.absolute() if config.curation.is_file() else config.curation
    )  # else below the home of configs/
    run(
        replace(
            config, videos=config.videos.absolute(), model=config.model.absolute(), output=config.output.absolute(), curation=curation
        )
    )  # fmt: skip
    return 0


def run(config: FinetuneConfig) -> None:
    """Curates, encodes, trains, exports, samples."""
    shape = Shape.of(config.model)
    steps, out = Steps("finetune", 5, config.dry_run, home()), config.output
    if not config.dry_run:
        out.mkdir(parents=True, exist_ok=True)
        (out / "buckets.yaml").write_text(json.dumps(shape.buckets(), indent=1) + "\n")  # JSON is YAML
    steps.title(1, "curation: clips, captions, shards")
    steps.run(
        "curate", "run", "--config", config.curation, "--input", config.videos, "--lake", out / "lake", "--subset", SUBSET,
        "--shard.bucket_set", out / "buckets.yaml",
    )  # fmt: skip
    clips = [] if config.dry_run else clips_of(steps, out / "lake")
    captions = [row["caption"] for row in clips]
    steps.title(2, "latents, by the model's own autoencoder")
    steps.run(
        "train", "encode", "--tae", config.model / "tae", "--lake", out / "lake", "--buckets", out / "buckets.yaml",
        "--resolution", shape.resolution, "--output", out / "encode",
    )  # fmt: skip
    steps.title(3, "training: " + ("the whole transformer" if config.full else f"adapters of rank {config.lora.rank}"))
    steps.run("train", "fit", *fit_words(config, shape, len({row["video_id"] for row in clips})))
    steps.title(4, "a model folder with its card")
    steps.run("export", out / "run", "--output", out / "model", "--overwrite", show=False)
    steps.title(5, "the same prompt and noise, before and after")
    prompt = config.prompt or (captions[0] if captions else "<a caption of the folder>")
    for name, model in (("before", config.model), ("after", out / "model")):
        words = ("--prompt", prompt, "--output", out / f"sample_{name}.mp4", "--seed", config.seed)
        steps.run("generate", "--model", model, *words, *shape_words(out / "model", config.dry_run))
    if not config.dry_run:
        print(f"\n{len(captions)} clips; the model: {out / 'model'}\ntry next:\n  moviegen train report {out / 'run'}")


def fit_words(config: FinetuneConfig, shape: "Shape", num_videos: int) -> list[object]:
    """Arguments of the training."""
    out = config.output
    adapters = (
        ["--model.lora", "null"]
        if config.full
        else ["--model.lora.rank", config.lora.rank, "--model.lora.alpha", config.lora.alpha]
    )
    return [
        "--config", "configs/training/video_dit/11_finetune.yaml", "--output", out / "run", "--model.init_from", config.model,
        "--model.tae", config.model / "tae", "--data.latents", out / "encode" / "latents", "--data.buckets", out / "buckets.yaml",
        "--data.tokens_per_batch", config.clips_per_step * shape.tokens, "--data.validation.fraction", 0.1 if num_videos >= FEW else 0.0,
        "--trainer.max_steps", config.steps, "--trainer.val_check_interval", max(1, config.steps // 5),
        "--model.optimizer.lr", config.lr or (2e-5 if config.full else 2e-4), *adapters, "--seed_everything", config.seed,
    ]  # fmt: skip


def clips_of(steps: Steps, lake: Path) -> list[dict[str, str]]:
    """Caption and video_id of each clip in the shards. Raises UsageError when no clip was kept."""
    rows = steps.outputs_of("stats")(lake, CAPTIONS)
    if not rows:
        raise UsageError(f"no clip was kept; why: moviegen stats {lake} inputs")
    return rows


def shape_words(model: Path, dry_run: bool) -> list[object]:
    """Flags that give both samples the shape of the finetuned model's."""
    if dry_run:
        return []
    from moviegen.pipelines.video import decode_defaults, read_index

    shape: VideoDefaults = decode_defaults(read_index(model)["defaults"])
    return ["--width", shape.width, "--height", shape.height, "--num_frames", shape.num_frames, "--fps", shape.fps]


@dataclass(frozen=True)
class Shape:
    """What a model makes: its frames, its resolution, and the aspects that it has positions for."""

    num_frames: int
    resolution: int
    """Side in px of the square of equal area."""
    aspects: tuple[AspectBucket, ...]

    @classmethod
    def of(cls, model: Path) -> "Shape":
        """Of a model's folder, no weights read. Raises UsageError when it is no video model."""
        from moviegen.models.tae import TAEConfig
        from moviegen.models.video_dit import VideoDiTConfig
        from moviegen.pipelines.video import decode_defaults, read_index

        defaults = decode_defaults(read_index(model)["defaults"])
        if defaults.num_frames == 1:
            raise UsageError(f"{model}: makes images; finetuning on videos wants a video model, a later stage's model/")
        tae, dit = (kind(**_config(model / name)) for kind, name in ((TAEConfig, "tae"), (VideoDiTConfig, "video_dit")))
        resolution = round(math.sqrt(defaults.width * defaults.height))
        _, patch_height, patch_width = dit.patch_size
        limits = (dit.max_width * patch_width * tae.spatial_factor, dit.max_height * patch_height * tae.spatial_factor)
        fitting = tuple(each for each in PAPER_ASPECTS if _fits(frame_size(each, resolution), limits))
        if not fitting:
            raise UsageError(
                f"{model}: has positions for frames of {limits[0]}x{limits[1]} px, none of our aspects at {resolution} px fits"
            )
        return cls(defaults.num_frames, resolution, fitting)

    @property
    def tokens(self) -> int:
        """Of the largest sample, as batches are sized: ceil(T / 8) x H / 16 x W / 16."""
        sizes = [frame_size(each, self.resolution) for each in self.aspects]
        return -(-self.num_frames // 8) * max(width // 16 * (height // 16) for width, height in sizes)

    def buckets(self) -> dict[str, Any]:
        """A bucket set of one duration."""
        return {
            "aspects": [vars(each) for each in self.aspects],
            "durations": [{"min_s": MIN_S, "max_s": MAX_S, "num_frames": self.num_frames}],
        }


def _fits(size: tuple[int, int], limits: tuple[int, int]) -> bool:
    return size[0] <= limits[0] and size[1] <= limits[1]


def _config(folder: Path) -> dict[str, Any]:
    """A network's config.json; lists as tuples, as the dataclasses have them."""
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}; wanted a video model's folder") from error
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
