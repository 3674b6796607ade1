"""Stage configurations: YAML files that refer to others, what identifies a stage, and what changed between two.

A value that names a `.yaml` file is replaced by that file's content; the name is relative to the file it stands in, on the
command line to the working folder. What is saved with a stage is therefore whole and refers to nothing.
"""

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from moviegen.contracts.clip import file_sha256, hash_id
from moviegen.errors import UsageError

WITHOUT_EFFECT = ("num_workers", "cache_bytes", "latent_cache_bytes", "execution", "allow_missing")
"""Settings that change how fast a stage runs, and of what it computes at most the last digits; what is missing changes the digest."""

LIMITS = ("max_steps", "max_time")
"""Settings of the trainer that say when a stage ends: a stage may be resumed with other limits."""

TRAINER = ("accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm", "precision")
"""Settings of the trainer that change what a step computes."""


def load_yaml(path: Path | str) -> Any:
    """A YAML file with the files it refers to put in their places. Raises UsageError naming the file at fault."""
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: not readable as YAML: {error}") from error
    try:
        return _expand(values, path.parent)
    except RecursionError as error:
        raise UsageError(f"{path}: refers to itself") from error


def _expand(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {key: _expand(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, folder) for item in value]
    if isinstance(value, str) and value.endswith(".yaml"):
        return load_yaml(folder / value)
    return value


def expand_flags(argv: Sequence[str]) -> list[str]:
    """The arguments with every `.yaml` value replaced by its content as JSON, which the parser reads in its place."""
    expanded = []
    for word in argv:
        flag, equals, value = word.partition("=")
        if word.startswith("--") and equals and value.endswith(".yaml"):
            expanded.append(f"{flag}={json.dumps(load_yaml(value))}")
        elif not word.startswith("--") and word.endswith(".yaml"):
            expanded.append(json.dumps(load_yaml(word)))
        else:
            expanded.append(word)
    return expanded


def class_of(config: Mapping[str, Any]) -> Any:
    """The class that a part of a stage, its `model` or its `data`, names."""
    module, _, name = config["class_path"].rpartition(".")
    return getattr(importlib.import_module(module), name)


def weights_sha256(folder: Path) -> str:
    """SHA-256 of a model folder's weights; of a product folder, of the names and hashes of all its networks' weights."""
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise UsageError(f"{folder}: no model folder (no .safetensors in it); wanted the `model/` of a finished stage")
    if len(files) == 1:
        return file_sha256(files[0])
    return hash_id([(str(path.relative_to(folder)), file_sha256(path)) for path in files])


def stage_identity(
    config: Mapping[str, Any], data_digest: str, data_places: Sequence[str], model_places: Sequence[str]
) -> dict:
    """All that determines what a stage computes, as plain values: two stages of one identity may continue each other.

    Paths are replaced by what lies there: `data_places` are the data's arguments that hold a path (the digest stands for
    them), `model_places` the model's arguments that name model folders (their weights' SHA-256 stands for them).
    """
    model, data = dict(config["model"]["init_args"]), dict(config["data"]["init_args"])
    for name in model_places:
        if model.get(name) is not None:
            model[name] = weights_sha256(Path(model[name]))
    data = {name: value for name, value in data.items() if name not in (*data_places, *WITHOUT_EFFECT)}
    model = {name: value for name, value in model.items() if name not in WITHOUT_EFFECT}
    identity = {
        "model": {"class_path": config["model"]["class_path"], **model},
        "data": {"class_path": config["data"]["class_path"], "digest": data_digest, **data},
        "trainer": {name: config["trainer"].get(name) for name in TRAINER},
        "ema": config["ema"],
        "seed_everything": config["seed_everything"],
    }
    return json.loads(json.dumps(identity, sort_keys=True, default=str))


def stage_sha256(identity: Mapping[str, Any], trainer: Mapping[str, Any]) -> str:
    """Hash of a stage's identity and of when it ends: equal to that of a finished stage, there is nothing to do."""
    return hash_id(identity, {name: trainer.get(name) for name in LIMITS})


def differences(old: Any, new: Any, name: str = "") -> Iterator[str]:
    """One line for each value that differs: `model.video_dit.dim: 192 -> 256`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)
    elif old != new:
        yield f"{name}: {old} -> {new}"
