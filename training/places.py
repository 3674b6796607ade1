"""What a `fit`, `validate` or `overfit` command must name and what must lie there, looked at before Lightning is imported: a wrong path is
refused in a second, not after half a minute."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moviegen.contracts.lake import existing_lake
from moviegen.errors import UsageError
from training.config import load_yaml

FOLDERS = {
    "model.tae": "the model/ of the encode stage that made the latents, such as RUNS/02_encode/model",
    "model.init_from": "the model/ of the stage before",
    "model.codec": "the model/ of a measure stage",
    "model.vision_from": "a vision encoder",
    "model.round_trip_tae": "a TAE: tae/ in the model/ of a video stage",
    "data.latents": "the latents/ of an encode stage, such as RUNS/02_encode/latents",
}
"""Settings that name a folder, and what that folder is."""


def check_places(verb: str, argv: Sequence[str]) -> None:
    """Raises UsageError when the stage's folder is not given (`overfit` keeps nothing, and needs none) or a folder it takes something
    from is not there."""
    if {"-h", "--help", "--print_config"} & {word.split("=")[0] for word in argv}:
        return
    is_bare = verb == "overfit" and argv and not argv[0].startswith("-")  # its first word is the stage's YAML
    given = _given(["--config", *argv] if is_bare else argv)
    example = " ".join(["moviegen train", verb, *argv])
    if verb != "overfit" and not given.get("output"):
        raise UsageError(
            f"moviegen train {verb}: give --output RUN, the folder of the stage: {example} --output runs/stage"
        )
    if str(given.get("data.class_path")).endswith("LatentDataModule"):
        _check_latents(verb, given)
    elif given.get("data.class_path"):
        if not given.get("data.lake"):
            raise UsageError(
                f"moviegen train {verb}: give --data.lake LAKE, what it trains on: {example} --data.lake lake"
            )
        existing_lake(Path(given["data.lake"]))
    for name, what in FOLDERS.items():
        if given.get(name) and not Path(given[name]).is_dir():
            raise UsageError(f"--{name} {given[name]}: no such folder; wanted {what}")


def _check_latents(verb: str, given: dict[str, Any]) -> None:
    """Raises UsageError when a stage on latents is given a lake, or is not given its latents or their autoencoder."""
    if given.get("data.lake"):
        raise UsageError(
            f"moviegen train {verb}: --data.lake {given['data.lake']}: this stage reads latents: --data.latents FOLDER, "
            f"{FOLDERS['data.latents']}; `moviegen train encode` makes them of a lake"
        )
    if wanted := [name for name in ("data.latents", "model.tae") if not given.get(name)]:
        said = " and ".join(f"--{name} FOLDER, {FOLDERS[name]}" for name in wanted)
        raise UsageError(f"moviegen train {verb}: this stage reads latents: give {said}")


def _given(argv: Sequence[str]) -> dict[str, Any]:
    """Dotted setting -> value, of the config files and then of the flags; `init_args` left out of the names."""
    given: dict[str, Any] = {}
    flags = {}
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        flag, equals, value = word.partition("=")
        if flag.startswith("--"):
            value = value if equals else following
            if flag == "--config":
                given |= _flat(load_yaml(value))
            flags[flag[2:].replace("init_args.", "")] = value
    return given | flags


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(values, dict):
        return {}
    flat = {}
    for name, value in values.items():
        inner = prefix if name == "init_args" else f"{prefix}{name}."
        flat |= _flat(value, inner) if isinstance(value, dict) else {inner[:-1]: value}
    return flat
