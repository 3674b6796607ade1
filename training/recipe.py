"""`moviegen train run`: the stages of a recipe in order, each skipped when it is done and resumed when it is not."""

import difflib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moviegen.config import parse_config
from moviegen.contracts.stage import stage_folder
from moviegen.errors import UsageError
from training.cli import say
from training.config import load_yaml


@dataclass(frozen=True)
class RecipeStage:
    """One stage: what runs it and what it takes from the stages before."""

    name: str
    fit: dict[str, Any] | None = None
    """Configuration of a stage (a YAML file), for `moviegen train fit`."""
    encode: dict[str, Any] | None = None
    """Settings of `moviegen train encode`."""
    inputs: dict[str, str] = field(default_factory=dict)
    """Dotted setting -> `<stage>/<folder>` of a stage before, as `data.latents: encode_64px/latents`."""

    def __post_init__(self) -> None:
        stage_folder(1, self.name)
        if (self.fit is None) == (self.encode is None):
            raise ValueError(f"stage {self.name}: give either fit or encode")


@dataclass(frozen=True)
class Recipe:
    """Stages in order."""

    stages: tuple[RecipeStage, ...]

    def __post_init__(self) -> None:
        before: list[str] = []
        for stage in self.stages:
            for setting, source in stage.inputs.items():
                if source.partition("/")[0] not in before:
                    raise ValueError(f"stage {stage.name}: {setting} takes {source!r}, which is no stage before it ({', '.join(before) or 'none'})")
            if stage.name in before:
                raise ValueError(f"two stages are called {stage.name}")
            before.append(stage.name)

    def folder(self, name: str) -> str:
        """Folder of a stage below the run's: `02_encode_64px`."""
        numbers = {stage.name: number for number, stage in enumerate(self.stages, 1)}
        return stage_folder(numbers[name], name)


@dataclass(frozen=True)
class RunConfig:
    """What `moviegen train run` is told."""

    recipe: str
    """YAML file of the recipe."""
    lake: str
    """Root of the lake."""
    output: str
    """Folder of the run; each stage has its own below it."""
    subset: str | None = None
    """Subset of all stages; that of the recipe when not given."""
    steps: dict[str, int] = field(default_factory=dict)
    """Optimiser steps of single stages by name: `--steps.t2i_64px 300`, in place of the recipe's."""
    max_time: dict[str, str] = field(default_factory=dict)
    """Time of single stages by name, `DD:HH:MM:SS`: `--max_time.t2i_64px 00:00:02:00`; training stops at this or at its steps."""
    set: dict[str, list[str]] = field(default_factory=dict)
    """Further flags of single stages by name."""


def load_recipe(path: Path | str) -> Recipe:
    """The recipe of a YAML file, its stages' files put in place. Raises UsageError naming the file and what is off."""
    values = load_yaml(path)
    try:
        rows = values["stages"]
        return Recipe(tuple(RecipeStage(**row) for row in rows))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: {error}; a recipe has `stages`, each with name, fit or encode, and inputs") from error


def run(argv: Sequence[str]) -> int:
    """The verb: 0 when all stages are done, 130 or 143 when a signal stopped one after saving."""
    config, flags = parse_config(
        RunConfig, argv, prog="moviegen train run", summary="Run the stages of a recipe in order, skipping those done.",
        examples=["moviegen train run configs/recipes/tiny.yaml --lake lake/ --output runs/tiny",
                  "moviegen train run configs/recipes/tiny.yaml --lake lake/ --output runs/tiny --steps.tae_64px 300"],
        positionals=("recipe",),
        add_flags=lambda parser: parser.add_argument("--dry_run", type=bool, default=False, help="only tell what would be done"),
    )  # fmt: skip
    recipe = load_recipe(config.recipe)
    _check_names(recipe, config)
    for stage in recipe.stages:
        exit_code = run_stage(recipe, stage, config, flags.dry_run)
        if exit_code:
            return exit_code
    if not flags.dry_run:
        say(f"all {len(recipe.stages)} stages are done; the model: {Path(config.output) / recipe.folder(recipe.stages[-1].name) / 'model'}")
    return 0


def run_stage(recipe: Recipe, stage: RecipeStage, config: RunConfig, dry_run: bool) -> int:
    """Runs one stage, or tells what would be done; gives its exit code."""
    folder = Path(config.output) / recipe.folder(stage.name)
    missing = [path for path in _inputs(recipe, stage, config).values() if not path.exists()]
    if missing and dry_run:
        say(f"{folder.name}: to do, after {', '.join(sorted({path.parent.name for path in missing}))}")
        return 0
    if stage.encode is not None:
        return _run_encode(recipe, stage, config, dry_run)
    from training.fit import fit, look
    from training.stage import set_aside

    argv = fit_flags(recipe, stage, config)
    state = look(argv)
    if state.result is not None or dry_run:
        say(f"{folder.name}: {state.text}")
        return 0
    if state.changes:
        say(f"{folder.name}: settings changed ({state.changes[0]}), so it starts anew; the old one is kept in {set_aside(folder)}")
    return fit(argv)


def fit_flags(recipe: Recipe, stage: RecipeStage, config: RunConfig) -> list[str]:
    """Arguments of `moviegen train fit` for a stage."""
    import json

    flags = ["--config", json.dumps(stage.fit), "--name", stage.name]
    flags += ["--output", str(Path(config.output) / recipe.folder(stage.name))]
    if "latents" not in {setting.rpartition(".")[2] for setting in stage.inputs}:
        flags += ["--data.lake", config.lake]
        if config.subset:
            flags += ["--data.subset", config.subset]
    for setting, path in _inputs(recipe, stage, config).items():
        flags += [f"--{setting}", str(path)]
    if stage.name in config.steps:
        flags += ["--trainer.max_steps", str(config.steps[stage.name])]
    if stage.name in config.max_time:
        flags += ["--trainer.max_time", config.max_time[stage.name]]
    return flags + [word for line in config.set.get(stage.name, []) for word in shlex.split(line)]


def _run_encode(recipe: Recipe, stage: RecipeStage, config: RunConfig, dry_run: bool) -> int:
    from moviegen.config import parse_config as parse
    from training.encode import EncodeConfig, run_encode

    import json

    settings = {**(stage.encode or {}), "lake": config.lake, "output": str(Path(config.output) / recipe.folder(stage.name)), "name": stage.name}
    if config.subset:
        settings["subset"] = config.subset
    settings |= {setting: str(path) for setting, path in _inputs(recipe, stage, config).items()}
    encode_config, _ = parse(EncodeConfig, ["--config", json.dumps(settings)], prog=f"stage {stage.name}", summary="", examples=())
    run_encode(encode_config, dry_run)
    return 0


def _inputs(recipe: Recipe, stage: RecipeStage, config: RunConfig) -> dict[str, Path]:
    """Dotted setting -> path of what a stage before left."""
    paths = {}
    for setting, source in stage.inputs.items():
        name, _, rest = source.partition("/")
        paths[setting] = Path(config.output) / recipe.folder(name) / rest
    return paths


def _check_names(recipe: Recipe, config: RunConfig) -> None:
    """Raises UsageError when a per-stage setting names no stage."""
    names = [stage.name for stage in recipe.stages]
    settings: Mapping[str, Mapping[str, Any]] = {"steps": config.steps, "max_time": config.max_time, "set": config.set}
    for setting, values in settings.items():
        for name in values:
            if name not in names:
                near = difflib.get_close_matches(name, names, 1) or names[:1]
                raise UsageError(f"--{setting}.{name}: the recipe has no such stage; did you mean {near[0]}? ({', '.join(names)})")
