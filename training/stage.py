"""A stage on disk: what it is, how far it is, and how it is finished."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from moviegen.contracts.lake import atomic_write
from moviegen.contracts.stage import STAGE_FILE, StageResult, encode_stage, read_stage
from moviegen.errors import UsageError
from training.checkpoint import newest_checkpoint, parse_checkpoint_name
from training.config import differences, weights_sha256

IDENTITY_FILE = "identity.json"
CONFIG_FILE = "config.yaml"
MODEL_FOLDER = "model"


@dataclass(frozen=True)
class StageState:
    """How far a stage folder is."""

    folder: Path
    result: StageResult | None
    """Its record when it is finished with the configuration asked for."""
    checkpoint: Path | None
    """The newest whole checkpoint."""
    faults: tuple[str, ...]
    """What is wrong with newer ones."""
    changes: tuple[str, ...]
    """How the folder's identity differs from the one asked for; checkpoints then do not fit."""

    @property
    def text(self) -> str:
        """One word or two for people."""
        if self.result is not None:
            return f"done, {self.result.step} steps"
        if self.changes:
            return "settings changed, starts anew"
        if self.checkpoint is not None:
            return f"goes on at step {parse_checkpoint_name(self.checkpoint.name)}"
        return "to do"


def stage_state(folder: Path, identity: Mapping[str, Any], config_sha256: str) -> StageState:
    """What a folder holds of a stage of that identity."""
    result = read_stage(folder)
    checkpoint, faults = newest_checkpoint(folder / "checkpoints")
    path = folder / IDENTITY_FILE
    old = json.loads(path.read_text()) if path.exists() else identity
    is_done = result is not None and result.config_sha256 == config_sha256 and (folder / result.model).is_dir()
    return StageState(folder, result if is_done else None, checkpoint, tuple(faults), tuple(differences(old, identity)))


def begin_stage(folder: Path, identity: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Writes what is about to be run; a former result is withdrawn."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STAGE_FILE).unlink(missing_ok=True)
    with atomic_write(folder / CONFIG_FILE) as temporary:
        temporary.write_text(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))
    with atomic_write(folder / IDENTITY_FILE) as temporary:
        temporary.write_text(json.dumps(identity, sort_keys=True, indent=1) + "\n")


def set_aside(folder: Path) -> Path:
    """Moves a folder out of the way, keeping it; gives its new place: `<folder>.old-1`, `-2`, ..."""
    number = 1
    while (place := folder.with_name(f"{folder.name}.old-{number}")).exists():
        number += 1
    os.replace(folder, place)
    return place


def finish_stage(folder: Path, kind: str, name: str, step: int, config_sha256: str, export: Any) -> StageResult:
    """Writes `model/` through `export(folder)`, then `stage.json`: the stage is finished when that lies there."""
    temporary = folder / f".{MODEL_FOLDER}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    export(temporary)
    shutil.rmtree(folder / MODEL_FOLDER, ignore_errors=True)
    os.replace(temporary, folder / MODEL_FOLDER)
    result = StageResult(kind, name, step, config_sha256, MODEL_FOLDER, weights_sha256(folder / MODEL_FOLDER))
    with atomic_write(folder / STAGE_FILE, "commit") as path:
        path.write_text(encode_stage(result))
    return result


def refuse_changes(state: StageState) -> None:
    """Raises UsageError listing what changed since the folder's checkpoints were written."""
    lines = "\n  ".join(state.changes[:12])
    raise UsageError(
        f"{state.folder}: was trained with other settings:\n  {lines}\n"
        "choose another --output, or add --allow_changed true to go on from its checkpoint all the same"
    )
