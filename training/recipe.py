"""Recipes: which stages there are, in which order, and what each takes from the ones before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moviegen.contracts.stage import stage_folder
from moviegen.errors import UsageError
from training.config import load_yaml

VERBS = ("fit", "encode", "measure", "average")
"""Verbs of `moviegen train` that a stage may be."""


@dataclass(frozen=True)
class RecipeStage:
    """One stage: what runs it and what it takes from the stages before."""

    name: str
    fit: dict[str, Any] | None = None
    """Configuration of a stage (a YAML file), for `moviegen train fit`."""
    encode: dict[str, Any] | None = None
    """Settings of `moviegen train encode`."""
    measure: dict[str, Any] | None = None
    """Settings of `moviegen train measure`."""
    average: dict[str, Any] | None = None
    """Settings of `moviegen train average`."""
    inputs: dict[str, str] = field(default_factory=dict)
    """Dotted setting -> `<stage>/<folder>` of a stage before, as `data.latents: encode_64px/latents`."""

    def __post_init__(self) -> None:
        stage_folder(1, self.name)
        if sum(getattr(self, verb) is not None for verb in VERBS) != 1:
            raise ValueError(f"stage {self.name}: give either fit or encode, measure or average")

    @property
    def verb(self) -> str:
        """What runs it: one of VERBS."""
        return next(verb for verb in VERBS if getattr(self, verb) is not None)

    @property
    def sources(self) -> set[str]:
        """Names of the stages it takes something from."""
        return {source.partition("/")[0] for source in self.inputs.values()}


@dataclass(frozen=True)
class Recipe:
    """Stages in order."""

    stages: tuple[RecipeStage, ...]
    needs: dict[str, str] = field(default_factory=dict)
    """Name -> what folder it is that comes from elsewhere, such as a finished text-to-video model."""

    def __post_init__(self) -> None:
        before: list[str] = sorted(self.needs)
        for stage in self.stages:
            if stage.name in before:
                raise ValueError(f"two stages are called {stage.name}")
            for name in sorted(stage.sources - set(before)):
                raise ValueError(f"stage {stage.name}: takes from {name!r}, no stage before it ({', '.join(before)})")
            before.append(stage.name)
        if not self.stages:
            raise ValueError("no stage")

    def folder(self, name: str) -> str:
        """Folder of a stage below the run's: `02_encode_64px`."""
        numbers = {stage.name: number for number, stage in enumerate(self.stages, 1)}
        return stage_folder(numbers[name], name)

    def inputs(self, stage: RecipeStage, output: Path, given: Mapping[str, str] | None = None) -> dict[str, Path]:
        """Dotted setting -> path of what a stage before left below `output`, or of what is `given` for the recipe's needs."""
        paths = {}
        for setting, source in stage.inputs.items():
            name, _, rest = source.partition("/")
            root = Path((given or {})[name]) if name in self.needs else output / self.folder(name)
            paths[setting] = root / rest
        return paths


def load_recipe(path: Path | str) -> Recipe:
    """The recipe of a YAML file, its stages' files put in place. Raises UsageError naming the file and what is off."""
    values = load_yaml(path)
    if isinstance(values, dict) and "model" in values and "stages" not in values:
        raise UsageError(f"{path}: a stage, no recipe; one stage alone: moviegen train fit --config {path}")
    try:
        return Recipe(tuple(_stage(row) for row in values["stages"]), dict(values.get("needs") or {}))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path}: {error}; a recipe has `stages`, each with name, fit or encode, and inputs"
        ) from error


def _stage(row: dict[str, Any]) -> RecipeStage:
    """A stage whose `override`, such as the tiny sizes beside a full stage, is laid over its settings."""
    row = dict(row)
    changes = row.pop("override", None)
    for verb in VERBS if changes else ():
        if row.get(verb) is not None:
            row[verb] = overridden(row[verb], changes)
    return RecipeStage(**row)


def overridden(values: Any, changes: Any) -> Any:
    """`values` with `changes` laid over: mappings key by key, all else replaced; null takes a setting away."""
    if not isinstance(values, dict) or not isinstance(changes, dict):
        return changes
    kept = {name: value for name, value in values.items() if name not in changes}
    laid = {name: overridden(values.get(name), value) for name, value in changes.items() if value is not None}
    return kept | laid
