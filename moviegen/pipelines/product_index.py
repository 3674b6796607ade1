"""`model_index.json`, what a product folder says of itself, read without loading a weight."""

import json
from pathlib import Path
from typing import Any

from moviegen.errors import UsageError

INDEX_FILE = "model_index.json"
INDEX_FORMAT = 1


def read_any_index(folder: Path, what: str = "") -> dict[str, Any]:
    """The index of a product of any pipeline; `what` stands before the folder in errors. Raises UsageError where there is none, or
    none that can be read."""
    path = folder / INDEX_FILE
    try:
        index = json.loads(path.read_text())
    except FileNotFoundError:
        raise UsageError(
            f"{what}{folder} is no product folder: {INDEX_FILE} is missing; `moviegen train run` writes one as a stage's model/"
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{what}{path}: cannot be read: {error}; export the model again: moviegen train export --help"
        ) from error
    if not isinstance(index, dict):
        raise UsageError(f"{what}{path}: is a {type(index).__name__}, wanted an object")
    return index


def own_defaults(folder: Path) -> dict[str, Any]:
    """What a model makes when a setting is left out: frames, size, rate, steps, guidance, as far as it says."""
    index = read_any_index(folder)
    values = index.get("values") if isinstance(index.get("values"), dict) else {}
    found = index.get("defaults") or values.get("defaults") or {}
    return {**values, **found} if isinstance(found, dict) else dict(values)
