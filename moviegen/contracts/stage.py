"""Stages of training: what a finished stage leaves on disk for the next one.

A stage folder holds `config.yaml`, `checkpoints/`, `model/` (config.json + model.safetensors, as `from_pretrained` reads it)
and, written last, `stage.json`: the record below. A folder without it is an unfinished stage.
"""

import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

STAGE_FILE = "stage.json"
STARTS_FILE = "starts.jsonl"
KINDS = ("tae", "video_dit", "audio_codec", "audio_dit", "upsampler", "personalize", "edit")
"""What can be trained."""

_FOLDER = re.compile(r"(\d{2})_([a-z0-9_]+)")


@dataclass(frozen=True)
class StageResult:
    """A finished stage. `config_sha256` is that of the resolved configuration and of the stages before: when it differs, the
    stage is run again."""

    kind: str
    name: str
    step: int
    """Optimiser steps taken."""
    config_sha256: str
    model: str
    """Folder of the model, relative to the stage folder."""
    model_sha256: str
    """SHA-256 of model.safetensors."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"stage {self.name!r}: kind {self.kind!r} is not one of {KINDS}")


def encode_stage(result: StageResult) -> str:
    """The text of `stage.json`."""
    return json.dumps(asdict(result), sort_keys=True, indent=2) + "\n"


def decode_stage(text: str) -> StageResult:
    """The record of a `stage.json`; the inverse of `encode_stage`. Raises ValueError when it is not one."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{STAGE_FILE}: {error}") from error
    wanted = {f.name for f in fields(StageResult)}
    if not isinstance(values, dict) or set(values) != wanted:
        raise ValueError(f"{STAGE_FILE}: wanted the fields {sorted(wanted)}")
    return StageResult(**values)


def read_starts(folder: Path) -> list[dict[str, Any]]:
    """The lines of a stage's `starts.jsonl`, oldest first; one cut by a crash is left out."""
    path = folder / STARTS_FILE
    found = []
    for line in path.read_text().splitlines() if path.is_file() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def stage_folder(number: int, name: str) -> str:
    """Folder of a stage in its recipe's run, `02_t2v_64px`: the order is the name's."""
    folder = f"{number:02d}_{name}"
    if _FOLDER.fullmatch(folder) is None:
        raise ValueError(f"stage name {name!r}: small letters, digits and '_' only, number below 100")
    return folder


def parse_stage_folder(folder: str) -> tuple[int, str]:
    """(number, name) of a stage folder; the inverse of `stage_folder`."""
    match = _FOLDER.fullmatch(folder)
    if match is None:
        raise ValueError(f"{folder!r} is no stage folder; one looks like '02_t2v_64px'")
    return int(match[1]), match[2]


def read_stage(folder: Path) -> StageResult | None:
    """The record of a finished stage, or None when the stage is not finished."""
    path = folder / STAGE_FILE
    return decode_stage(path.read_text()) if path.exists() else None
