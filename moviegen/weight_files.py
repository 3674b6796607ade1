"""The safetensors files of a model folder: one `model.safetensors`, or several that `model.safetensors.index.json` names (the hub's
layout for large models)."""

import json
from collections.abc import Callable
from pathlib import Path

from moviegen.errors import UsageError

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = f"{WEIGHTS_FILE}.index.json"


def has_weights(folder: Path) -> bool:
    """Whether a folder holds weights, in one file or several."""
    return (folder / WEIGHTS_FILE).is_file() or (folder / INDEX_FILE).is_file()


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights, each there. Raises UsageError naming what is missing or wrong."""
    if (folder / WEIGHTS_FILE).is_file() or not (folder / INDEX_FILE).is_file():
        return [folder / WEIGHTS_FILE]
    names = files_of_index(folder / INDEX_FILE)
    if gone := [name for name in names if not (folder / name).is_file()]:
        raise UsageError(f"{folder / gone[0]}: is missing, and {INDEX_FILE} names it; copy the folder again")
    return [folder / name for name in names]


def fetched_files(fetch: Callable[[str], str], is_missing: type[Exception]) -> list[Path]:
    """The same of a repository: `fetch` gets a file by name and gives its path, and raises `is_missing`."""
    try:
        return [Path(fetch(WEIGHTS_FILE))]
    except is_missing:
        return [Path(fetch(name)) for name in files_of_index(Path(fetch(INDEX_FILE)))]


def files_of_index(path: Path) -> list[str]:
    """Names of the files in an index. Raises UsageError when it is none, or names files elsewhere."""
    try:
        names = sorted(set(json.loads(path.read_text())["weight_map"].values()))
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: no index of weights ({error})") from error
    if odd := [name for name in names if Path(str(name)).name != name or not str(name).endswith(".safetensors")]:
        raise UsageError(f"{path}: names {odd[0]!r}, which is no .safetensors beside it")
    if not names:
        raise UsageError(f"{path}: names no file")
    return names
