"""Recipes: which stages there are, in which order, and what each takes from the ones before."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moviegen.contracts.stage import stage_folder
from moviegen.errors import UsageError
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

    @property
    def sources(self) -> set[str]:
        """Names of the stages it takes something from."""
        return {source.partition("/")[0] for source in self.inputs.values()}


@dataclass(frozen=True)
class Recipe:
    """Stages in order."""

    stages: tuple[RecipeStage, ...]

    def __post_init__(self) -> None:
        before: list[str] = []
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

    def inputs(self, stage: RecipeStage, output: Path) -> dict[str, Path]:
        """Dotted setting -> path of what a stage before left below `output`."""
        paths = {}
        for setting, source in stage.inputs.items():
            name, _, rest = source.partition("/")
            paths[setting] = output / self.folder(name) / rest
        return paths


def load_recipe(path: Path | str) -> Recipe:
    """The recipe of a YAML file, its stages' files put in place. Raises UsageError naming the file and what is off."""
    values = load_yaml(path)
    try:
        return Recipe(tuple(RecipeStage(**row) for row in values["stages"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path}: {error}; a recipe has `stages`, each with name, fit or encode, and inputs"
        ) from error
