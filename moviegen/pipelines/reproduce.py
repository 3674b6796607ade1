"""The same bytes again from a file's own recipe, or the reason why not."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from moviegen.contracts.clip import file_sha256
from moviegen.errors import UsageError
from moviegen.media.worker import guarded_call
from moviegen.pipelines.host import TERMINAL, Host
from moviegen.pipelines.recipe import Recipe, describe_environment, hash_files, read_recipe, steady

REMAKERS: dict[str, str] = {
    "edit": "moviegen.pipelines.edit_cli:remake",
    "generate": "moviegen.pipelines.generating:remake",
    "personalize": "moviegen.pipelines.personal_cli:remake",
    "soundtrack": "moviegen.pipelines.soundtrack_cli:remake",
    "upsample": "moviegen.pipelines.upsample_cli:remake",
}
"""Verb -> `module:function` of `remake(recipe, places, output, device, host)`, which writes `output` with that recipe in it."""

Remake = Callable[[Recipe, Mapping[str, Path], Path, str, Host], None]


@dataclass(frozen=True)
class Reproduced:
    """What came of it."""

    is_same: bool
    """Byte for byte."""
    differences: tuple[str, ...]
    """What is not as it was then: versions, device, threads."""


def reproduce(path: Path, output: Path, places: Mapping[str, Path] | None = None, host: Host = TERMINAL) -> Reproduced:
    """Makes `output` by the recipe in `path`. Raises UsageError naming the weights or inputs that are missing or not the same."""
    if output.resolve() == path.resolve():
        raise UsageError(f"reproduce: {output} is the file itself; give another --output")
    if output.suffix.lower() != path.suffix.lower():
        raise UsageError(f"reproduce: --output {output}: wanted a name that ends in {path.suffix}, as the file does")
    recipe = guarded_call(read_recipe, path)
    found = find_places(recipe, places or {})
    check_places(recipe, found)
    steady(recipe)
    device = "cuda" if recipe.environment.get("device", "").startswith("cuda") else "cpu"
    remake_of(recipe.command)(recipe, found, output, device, host)
    return Reproduced(file_sha256(output) == file_sha256(path), tuple(compare_environment(recipe, device)))


def remake_of(command: str) -> Remake:
    """The function that makes files of a verb. Raises UsageError on a verb that makes none."""
    if command not in REMAKERS:
        raise UsageError(
            f"reproduce: made by {command!r}, which is none of {', '.join(REMAKERS)}; by a newer moviegen?"
        )
    module, _, name = REMAKERS[command].partition(":")
    return getattr(importlib.import_module(module), name)


def find_places(recipe: Recipe, given: Mapping[str, Path]) -> dict[str, Path]:
    """Where each of the recipe's weights and inputs lies: as given, else where the sidecar says. Raises UsageError."""
    wanted = [*recipe.weights, *recipe.inputs]
    if odd := sorted(set(given) - set(wanted)):
        raise UsageError(f"reproduce: --places.{odd[0]}: this file was made from {', '.join(wanted)}")
    places = {name: Path(given.get(name) or recipe.places.get(name) or "") for name in wanted}
    for name, path in places.items():
        is_there = path.is_dir() if name in recipe.weights else path.is_file()
        if path == Path() or not is_there:
            lay = f"not at {path}" if path != Path() else "the file does not say where it lay"
            raise UsageError(
                f"reproduce: {name} is missing ({lay}): --places.{name} PATH; its hash is {_short(recipe, name)}"
            )
    return places


def check_places(recipe: Recipe, places: Mapping[str, Path]) -> None:
    """Raises UsageError naming each file whose hash is not the recipe's."""
    faults = [fault for name in recipe.weights for fault in _differing(places[name], recipe.weights[name])]
    for name, wanted in recipe.inputs.items():
        got = file_sha256(places[name])
        faults += [] if got == wanted else [f"{places[name]} has {got[:12]}, wanted {wanted[:12]}"]
    if faults:
        more = f" and {len(faults) - 8} more" if len(faults) > 8 else ""
        raise UsageError(
            f"reproduce: not what the file was made with: {'; '.join(faults[:8])}{more}. Give the same with --places.NAME PATH"
        )


def _differing(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    got = hash_files(folder)
    return [
        f"{folder / name} " + (f"has {got[name][:12]}, wanted {wanted[name][:12]}" if name in got else "is missing")
        for name in wanted
        if got.get(name) != wanted[name]
    ] + [f"{folder / name} is not of it" for name in sorted(set(got) - set(wanted))]


def _short(recipe: Recipe, name: str) -> str:
    if name in recipe.inputs:
        return recipe.inputs[name][:12]
    return ", ".join(f"{file} {sha256[:12]}" for file, sha256 in sorted(recipe.weights[name].items())[:3]) + " ..."


def compare_environment(recipe: Recipe, device: str) -> list[str]:
    """`torch: 2.9.0 then, 2.8.0 now`, for all that differs."""
    then, now = dict(recipe.environment), describe_environment(device)
    return [
        f"{name}: {then.get(name, 'none')} then, {now.get(name, 'none')} now"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
