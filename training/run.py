"""`moviegen train run`: the stages of a recipe in order, each skipped when it is done and resumed when it is not."""

import difflib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from moviegen.config import parse_config
from moviegen.contracts.lake import existing_lake, lake_at
from moviegen.errors import UsageError
from moviegen.observe.lineage import Data, traced
from training.cli import say
from training.recipe import Recipe, RecipeStage, load_recipe


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
    """Subset of all stages; the recipe's, or the lake's only one, when not given."""
    needs: dict[str, str] = field(default_factory=dict)
    """Folders that the recipe takes from elsewhere, by name: `--needs.t2v runs/tiny/04_t2v_64px/model`."""
    steps: dict[str, int] = field(default_factory=dict)
    """Optimiser steps of single stages by name: `--steps.t2i_64px 300`, in place of the recipe's."""
    max_time: dict[str, str] = field(default_factory=dict)
    """Time of single stages by name, `DD:HH:MM:SS`: `--max_time.t2i_64px 00:00:02:00`; a stage ends at this or at its steps."""
    flags: dict[str, str] = field(default_factory=dict)
    """Further flags of single stages by name: `--flags.t2i_64px "--model.optimizer.lr 3e-4"`."""
    until: str | None = None
    """Name of the stage to end with: those before it, and it."""
    list: bool = False
    """Only print the stages as JSON, in order: name, verb, folder."""
    dry_run: bool = False
    """Only tell what would be done."""


def run(argv: Sequence[str]) -> int:
    """The verb: 0 when all stages are done, 130 or 143 when a signal stopped one after saving."""
    config, _ = parse_config(
        RunConfig, argv, prog="moviegen train run", summary="Run the stages of a recipe in order, skipping those done.",
        examples=["moviegen train run configs/recipes/tiny.yaml --lake lake/ --output runs/tiny",
                  "moviegen train run configs/recipes/tiny.yaml --lake lake/ --output runs/tiny --steps.tae_64px 300",
                  "moviegen train run configs/recipes/tiny.yaml --lake lake/ --output runs/tiny --dry-run"],
        positionals=("recipe",),
    )  # fmt: skip
    recipe = load_recipe(config.recipe)
    if config.list:
        print(json.dumps([{"name": s.name, "verb": s.verb, "folder": recipe.folder(s.name)} for s in recipe.stages]))
        return 0
    _check_names(recipe, config)
    existing_lake(Path(config.lake))
    waiting: set[str] = set()
    stages = _until(recipe, config.until)
    for stage in stages:
        if after := sorted(stage.sources & waiting):
            say(f"{recipe.folder(stage.name)}: to do, after {', '.join(after)}")
            waiting.add(stage.name)
            continue
        exit_code, is_done = run_stage(recipe, stage, config)
        if exit_code:
            return exit_code
        if not is_done:
            waiting.add(stage.name)
    if not waiting:
        last = Path(config.output) / recipe.folder(stages[-1].name)
        say(f"all {len(stages)} stages are done; the model: {last / 'model'}")
    return 0


def _until(recipe: Recipe, name: str | None) -> tuple[RecipeStage, ...]:
    """The stages up to the one named. Raises UsageError when there is none of that name."""
    names = [stage.name for stage in recipe.stages]
    if name is not None and name not in names:
        near = difflib.get_close_matches(name, names, 1) or names[:1]
        raise UsageError(f"--until {name}: the recipe has no such stage; did you mean {near[0]}? ({', '.join(names)})")
    return recipe.stages[: names.index(name) + 1] if name is not None else recipe.stages


def run_stage(recipe: Recipe, stage: RecipeStage, config: RunConfig) -> tuple[int, bool]:
    """Runs one stage, or with `dry_run` tells what would be done; gives its exit code and whether it is done now."""
    if stage.fit is None:
        with nullcontext() if config.dry_run else _traced(recipe, stage, config):
            return 0, _run_other(recipe, stage, config)
    from training.fit import fit, look
    from training.stage import set_aside

    argv, folder = fit_flags(recipe, stage, config), Path(config.output) / recipe.folder(stage.name)
    if config.dry_run:
        return 0, _tell(argv, folder, limits(stage, config))
    state = look(argv)
    if state.result is not None:
        say(f"{folder.name}: {state.text}")
        return 0, True
    if state.changes:
        aside = set_aside(folder)
        say(f"{folder.name}: settings changed ({state.changes[0]}), so it starts anew; the old one is kept in {aside}")
    with _traced(recipe, stage, config) as stopped:
        if code := fit(argv):
            stopped()
    return code, True


def _traced(recipe: Recipe, stage: RecipeStage, config: RunConfig) -> AbstractContextManager:
    """Lineage of a stage: the shards, or what it takes from elsewhere, and its folder."""

    def inputs() -> list[Data]:
        taken = [Data(str(path)) for path in recipe.inputs(stage, Path(config.output), config.needs).values()]
        lake = [] if "data.latents" in stage.inputs else [Data(f"{lake_at(config.lake).place}/shards")]
        return [*lake, *taken]

    made = [Data(str(Path(config.output) / recipe.folder(stage.name)))]
    return traced(f"train.{stage.name}", inputs, lambda: made)


def _tell(argv: Sequence[str], folder: Path, ends: str) -> bool:
    """Says how far a stage is and what it would take; whether it is done."""
    from training.dry_run import look_closely

    state, lines = look_closely([*argv, "--allow_changed", "true"])  # it would be set aside, not refused
    say(f"{folder.name}: {state.text}{'' if state.result else ends}")
    for line in lines:
        say(f"  {line}")
    return state.result is not None


def limits(stage: RecipeStage, config: RunConfig) -> str:
    """Where a stage ends and how large its batches are, as far as the recipe and the flags say."""
    trainer, data = (stage.fit or {}).get("trainer", {}), (stage.fit or {}).get("data", {}).get("init_args", {})
    steps = config.steps.get(stage.name, trainer.get("max_steps"))
    time = config.max_time.get(stage.name, trainer.get("max_time"))
    parts = [f"ends at step {steps}" if steps else "", f"at most {time} (d:h:m:s)" if time else ""]
    parts.append(f"{data['tokens_per_batch']} tokens a batch" if "tokens_per_batch" in data else "")
    return "".join(f", {part}" for part in parts if part)


def fit_flags(recipe: Recipe, stage: RecipeStage, config: RunConfig) -> list[str]:
    """Arguments of `moviegen train fit` for a stage."""
    flags = ["--config", json.dumps(stage.fit), "--name", stage.name]
    flags += ["--output", str(Path(config.output) / recipe.folder(stage.name))]
    if "data.latents" not in stage.inputs:
        flags += ["--data.lake", config.lake]
        if config.subset:
            flags += ["--data.subset", config.subset]
    for setting, path in recipe.inputs(stage, Path(config.output), config.needs).items():
        flags += [f"--{setting}", str(path)]
    if stage.name in config.steps:
        flags += ["--trainer.max_steps", str(config.steps[stage.name])]
    if stage.name in config.max_time:
        flags += ["--trainer.max_time", config.max_time[stage.name]]
    return flags + shlex.split(config.flags.get(stage.name, ""))


def _run_other(recipe: Recipe, stage: RecipeStage, config: RunConfig) -> bool:
    """Runs a stage that is no training; whether it is done now."""
    settings_class, perform = _verb(stage.verb)
    output = Path(config.output)
    settings: dict[str, Any] = {
        **getattr(stage, stage.verb), "name": stage.name, "dry_run": config.dry_run,
        "output": str(output / recipe.folder(stage.name)),
    }  # fmt: skip
    known = {f.name for f in fields(settings_class)}
    settings |= {"lake": config.lake} if "lake" in known else {}
    settings |= {"subset": config.subset} if config.subset and "subset" in known else {}
    for setting, path in recipe.inputs(stage, output, config.needs).items():
        name, _, inner = setting.partition(".")
        settings[name] = {**settings.get(name, {}), inner: str(path)} if inner else str(path)
    argv = ["--config", json.dumps(settings)]
    return perform(parse_config(settings_class, argv, prog=f"stage {stage.name}", summary="", examples=())[0])


def _verb(name: str) -> tuple[type, Callable[[Any], bool]]:
    """Settings and function of a verb that is no training."""
    if name == "encode":
        from training.encode import EncodeConfig, run_encode

        return EncodeConfig, run_encode
    if name == "measure":
        from training.measure import MeasureConfig, run_measure

        return MeasureConfig, run_measure
    from training.average import AverageConfig, run_average

    return AverageConfig, run_average


def _check_names(recipe: Recipe, config: RunConfig) -> None:
    """Raises UsageError when a per-stage setting names no stage, or what the recipe needs is not given."""
    for name, what in recipe.needs.items():
        if not Path(config.needs.get(name, "")).is_dir() or name not in config.needs:
            raise UsageError(f"the recipe needs --needs.{name} FOLDER: {what}; got {config.needs.get(name) or 'none'}")
    if odd := sorted(set(config.needs) - set(recipe.needs)):
        raise UsageError(f"--needs.{odd[0]}: the recipe needs {', '.join(recipe.needs) or 'nothing from elsewhere'}")
    names = [stage.name for stage in recipe.stages]
    settings: Mapping[str, Mapping[str, Any]] = {
        "steps": config.steps,
        "max_time": config.max_time,
        "flags": config.flags,
    }
    for setting, values in settings.items():
        for name in sorted(set(values) - set(names)):
            near = difflib.get_close_matches(name, names, 1) or names[:1]
            raise UsageError(
                f"--{setting}.{name}: the recipe has no such stage; did you mean {near[0]}? ({', '.join(names)})"
            )
