"""Tiny stages of the paper's recipes, made from nothing: a toy lake, the stages before hardly trained, and the command that is typed
again and again."""

import importlib
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import yaml

from moviegen.testing.forks import Outcome, Run, fork_run, warm
from moviegen.testing.lake import write_toy_lake
from training.recipe import Recipe, RecipeStage, load_recipe
from training.run import RunConfig, fit_flags, run_stage

RECIPES = Path(__file__).resolve().parents[2] / "configs" / "recipes"
STEPS, EVERY = 76, 8
"""Steps of a stage, and between two checkpoints."""

STEPS_BEFORE = 2
"""Of the stages that only have to be there."""

CLIPS = {"width": 64, "height": 64, "fps": 6}
ENDS = (
    *("--trainer.max_steps", str(STEPS)),
    *("--trainer.val_check_interval", "19"),
    *("--data.validation.max_samples", "2"),
    *("--samples.num_held_out", "1"),
    *("--samples.num_inference_steps", "2"),
    *("--trainer.accelerator", "cpu"),
    *("--checkpoints.every_steps", str(EVERY)),
)


@dataclass(frozen=True)
class Kind:
    """A stage of a tiny recipe."""

    name: str
    recipe: str
    stage: str
    smaller: Mapping[str, int | float] = field(default_factory=dict)
    """Settings that make it quicker than the recipe does."""
    needs: tuple[tuple[str, str, str], ...] = ()
    """What the recipe takes from elsewhere: (its name, the recipe, the stage)."""


KINDS = (
    Kind("tae", "video_tiny", "tae_256px",
         {"model.tae.channels": 4, "model.tae.latent_channels": 4, "model.tae.linear_path": False, "model.losses.gan_channels": 4,
          "data.resolution": 16, "data.tokens_per_batch": 2, "data.window.num_frames": 8}),
    Kind("video_dit", "video_tiny", "t2v_256px"),
    Kind("audio_dit", "audio_tiny", "audio_pretrain", {"data.parts.films.samples_per_batch": 2, "data.parts.films.seconds": 1.0}),
    Kind("upsampler", "image_and_upsampler_tiny", "upsampler_1080p", {"data.tokens_per_batch": 16},
         (("t2v", "video_tiny", "t2v_256px"),)),
)  # fmt: skip
"""A new kind of network is one more entry."""

IMPORTS = (
    "training.cli",
    "training.encode",
    "training.measure",
    "training.fit",
    "training.modules.tae",
    "training.modules.video_dit",
    "training.modules.upsampler",
    "training.modules.audio_codec",
    "training.modules.audio_dit",
    "training.data.datamodule",
    "training.data.sound",
    "training.data.windows",
    "torch.utils.tensorboard",
    "matplotlib.backends.backend_agg",
    "pyarrow.parquet",
    "av",
    "cv2",
)
"""What every child needs."""


def preload() -> None:
    """Imports in this process what every child of it needs."""
    for name in IMPORTS:
        importlib.import_module(name)


class Stages:
    """The lake, the stages before, and how the command of each kind is typed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lake = folder, folder / "lake"

    def prepare(self, kinds: Sequence[Kind]) -> None:
        """Makes the lake (14 clips of 64x64 and 3 of 112x64, with sound) and the stages that others begin from."""
        make_lake = partial(write_toy_lake, self.lake, 5, 17, with_audio_captions=True, max_samples=6, **CLIPS)
        must(Run(("--version",)), make_lake)
        for kind in kinds:
            for _, recipe, stage in kind.needs:
                self._make(recipe, {stage, *before(recipe, stage)}, {})
            self._make(kind.recipe, before(kind.recipe, kind.stage), self._needs(kind))
            self._file(kind).write_text(yaml.safe_dump(stage_of(kind.recipe, kind.stage).fit))

    def words(self, kind: Kind, output: Path, *flags: str) -> tuple[str, ...]:
        """The command of a kind, after `moviegen`."""
        recipe, stage = load(kind.recipe), stage_of(kind.recipe, kind.stage)
        fit = fit_flags(recipe, stage, self._config(kind.recipe, self._needs(kind)))
        fit[fit.index("--config") + 1], fit[fit.index("--output") + 1] = str(self._file(kind)), str(output)
        smaller = [word for name, value in kind.smaller.items() for word in (f"--{name}", str(value).lower())]
        return ("train", "fit", *fit, *smaller, *ENDS, *flags)

    def _make(self, name: str, stages: Set[str], needs: dict[str, str]) -> None:
        """Runs some stages of a recipe, a process each; those done are skipped."""
        recipe = load(name)
        for stage in recipe.stages:
            if stage.name in stages:
                must(Run(("--version",)), partial(_run, recipe, stage, self._config(name, needs)))

    def _file(self, kind: Kind) -> Path:
        return self.folder / f"{kind.name}.yaml"

    def _needs(self, kind: Kind) -> dict[str, str]:
        return {what: str(self.folder / name / load(name).folder(stage) / "model") for what, name, stage in kind.needs}

    def _config(self, name: str, needs: dict[str, str]) -> RunConfig:
        steps = {stage.name: STEPS_BEFORE for stage in load(name).stages if stage.fit is not None}
        path, output = RECIPES / f"{name}.yaml", self.folder / name
        return RunConfig(str(path), str(self.lake), str(output), needs=needs, steps=steps)


def before(name: str, stage: str) -> set[str]:
    """The stages that a stage takes something from, and those that they do."""
    sources = stage_of(name, stage).sources - set(load(name).needs)
    return sources.union(*(before(name, source) for source in sources))


def stage_of(name: str, stage: str) -> RecipeStage:
    """A stage of a recipe."""
    return next(each for each in load(name).stages if each.name == stage)


@cache
def load(name: str) -> Recipe:
    """A recipe of ours."""
    return load_recipe(RECIPES / f"{name}.yaml")


def must(run: Run, prepare: Callable[[], None] | None = None) -> Outcome:
    """Types a command that must end well."""
    outcome = fork_run(run, prepare)
    if outcome.code != 0:
        raise RuntimeError(f"{run}: ended with {outcome.code}: {outcome.said}")
    warm(outcome.modules)
    return outcome


def _run(recipe: Recipe, stage: RecipeStage, config: RunConfig) -> None:
    """Runs in a child."""
    exit_code, is_done = run_stage(recipe, stage, config)
    if exit_code or not is_done:
        raise RuntimeError(f"{stage.name}: ended with {exit_code}")
