"""What lies in the output folder: newest first, with how it was made."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any

from moviegen.errors import MovieGenError
from moviegen.media.worker import DecodeWorker
from moviegen.pipelines.recipe import Recipe, read_recipe
from moviegen.serve.forms import label_of

KINDS = {".mp4": "video", ".mkv": "video", ".png": "picture", ".jpg": "picture", ".wav": "sound"}
"""Endings of names that are shown -> how."""

HIDDEN = ("batch", "place")
"""Settings of a recipe that only `reproduce` needs."""


@dataclass(frozen=True)
class Made:
    """A file that lies there."""

    name: str
    kind: str
    """video, picture, sound."""
    changed_ns: int


def list_made(folder: Path) -> list[Made]:
    """The files of the folder itself, newest first."""
    if not folder.is_dir():
        return []
    found = []
    for path in folder.iterdir():
        kind = KINDS.get(path.suffix.lower())
        if kind is None or path.name.startswith("."):
            continue
        with suppress(FileNotFoundError):  # removed since
            status = path.lstat()
            if S_ISREG(status.st_mode):
                found.append(Made(path.name, kind, status.st_mtime_ns))
    return sorted(found, key=lambda made: (-made.changed_ns, made.name))


def find_made(folder: Path, name: str) -> Path | None:
    """The file of that name, if the gallery shows it."""
    return next((folder / made.name for made in list_made(folder) if made.name == name), None)


def read_made(path: Path, worker: DecodeWorker) -> Recipe | str:
    """The recipe of a file, read in the worker, or why there is none."""
    try:
        return worker.call(read_recipe, path)
    except MovieGenError as error:
        return str(error).replace(str(path), path.name)


def recipe_rows(recipe: Recipe) -> list[tuple[str, str]]:
    """(what, how) of a recipe, for people."""
    rows = [("Made by", f"moviegen {recipe.command}")]
    names = sorted(set(recipe.settings) - set(HIDDEN), key=lambda name: (name not in ("prompt", "instruction"), name))
    rows += [(label_of(name), shown(recipe.settings[name])) for name in names]
    rows = [(name, value) for name, value in rows if value]
    weights = [sha256 for files in recipe.weights.values() for sha256 in files.values()]
    rows += [("Weights", f"{len(weights)} files, the first {weights[0][:12]}")] if weights else []
    rows += [(f"Input: {name}", sha256[:12]) for name, sha256 in recipe.inputs.items()]
    versions = [
        f"{name} {recipe.environment[name]}" for name in ("moviegen", "torch", "device") if name in recipe.environment
    ]
    return [*rows, ("With", ", ".join(versions))] if versions else rows


def shown(value: Any) -> str:
    """A value of a recipe in one line; nothing for what was left out."""
    if value is None or value == "":
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {shown(each)}" for name, each in value.items() if shown(each))
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value).removesuffix("/1")
