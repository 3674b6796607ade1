"""A stage on disk: what it is, how far it is, and how it is finished."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from moviegen.contracts.lake import atomic_write, crash_point
from moviegen.contracts.stage import STAGE_FILE, StageResult, encode_stage, read_stage
from moviegen.errors import UsageError
from moviegen.temporary import may_be_in_use, temporary_beside
from training.checkpoint import (
    CheckpointError,
    newest_checkpoint,
    parse_checkpoint_name,
    remove_temporaries,
    restore_replaced,
    set_damaged_aside,
)
from training.cli import say
from training.config import differences, weights_sha256
from training.contents import describe_change

IDENTITY_FILE = "identity.json"
CONFIG_FILE = "config.yaml"
CONTENTS_FILE = "data.json"
"""SHA-256 by name of what it trains on: to tell what changed, when it did."""

MODEL_FOLDER = "model"
CHECKPOINTS_FOLDER = "checkpoints"
LOCK_FILE = ".lock"
MAX_NAMED = 12
"""Changes named; identity.json has all."""

CRASH_POINTS = (
    *(f"{kind}.{moment}" for kind in ("config", "identity", "contents", "metrics", "latest", "curve", "record", "commit")
      for moment in ("written", "synced", "renamed", "settled")),
    *(f"checkpoint.{moment}" for moment in ("written", "synced", "replaced", "renamed", "settled", "dropped")),
    *(f"model.{moment}" for moment in ("written", "removed", "renamed")),
    "stage.withdrawn", "damaged.renamed",
)  # fmt: skip
"""Every place where a crash of a stage would matter: after each fsync, rename and removal. The kill tests die at each."""


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
    def step(self) -> int:
        """The step that it would go on from."""
        return 0 if self.checkpoint is None else parse_checkpoint_name(self.checkpoint.name) or 0

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


def stage_state(folder: Path, identity: Mapping[str, Any], config_sha256: str, is_first: bool = True) -> StageState:
    """What a folder holds of a stage of that identity; ranks but the first do not sum checkpoints."""
    result = read_stage(folder)
    checkpoint, faults = newest_checkpoint(folder / CHECKPOINTS_FOLDER, is_first)
    path = folder / IDENTITY_FILE
    old = json.loads(path.read_text()) if path.exists() else identity
    is_done = result is not None and result.config_sha256 == config_sha256 and (folder / result.model).is_dir()
    return StageState(folder, result if is_done else None, checkpoint, tuple(faults), tuple(differences(old, identity)))


@contextmanager
def hold_stage(folder: Path) -> Iterator[None]:
    """Holds the folder's lock, which ends with the process. Raises UsageError when another process trains in it."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK_FILE, timeout=0):
            yield
    except Timeout as error:
        raise UsageError(
            f"{folder}: another process trains in it; wait for it, end it, or choose another --output"
        ) from error


def is_settled(folder: Path, sha256: str, what: str, dry_run: bool) -> bool | None:
    """Of a stage without steps: True when it is finished with that hash, False when it is not and only that was asked, None when it is
    to be done now. Says the first two."""
    result = read_stage(folder)
    if result is not None and result.config_sha256 == sha256:
        say(f"{folder.name}: done, {what}")
        return True
    if dry_run:
        say(f"{folder.name}: to do, {what}")
        return False
    return None


def recover(state: StageState) -> StageState:
    """The state of a stage whose lock is held, once what earlier runs left half-written is cleared; says which checkpoints are damaged and
    keeps those under another name.

    Raises CheckpointError when there were checkpoints and none is whole: to begin anew without a word would throw them away."""
    folder = state.folder / CHECKPOINTS_FOLDER
    if restore_replaced(folder):
        checkpoint, faults = newest_checkpoint(folder)
        state = replace(state, checkpoint=checkpoint, faults=tuple(faults))
    for place in (state.folder, *(path for path in state.folder.iterdir() if path.is_dir())):
        remove_temporaries(place)
    for fault in state.faults:
        say(f"{fault}: left aside")
    if state.faults and state.checkpoint is None:
        raise CheckpointError(
            f"{folder}: none of its checkpoints is whole; put one back, or delete {folder} to begin this stage anew"
        )
    for place in set_damaged_aside(folder, state.checkpoint):
        say(f"{place}: kept under this name")
    return state


def begin_stage(
    folder: Path, identity: Mapping[str, Any], config: Mapping[str, Any], contents: Mapping[str, str]
) -> None:
    """Writes what is about to be run, on which data; a former result is withdrawn."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STAGE_FILE).unlink(missing_ok=True)
    crash_point("stage.withdrawn")
    with atomic_write(folder / CONFIG_FILE, "config") as temporary:
        temporary.write_text(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))
    with atomic_write(folder / CONTENTS_FILE, "contents") as temporary:
        temporary.write_text(json.dumps(contents, sort_keys=True, indent=1) + "\n")
    with atomic_write(folder / IDENTITY_FILE, "identity") as temporary:
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
    temporary = _model_beside(folder)
    export(temporary)
    crash_point("model.written")
    shutil.rmtree(folder / MODEL_FOLDER, ignore_errors=True)
    crash_point("model.removed")
    os.replace(temporary, folder / MODEL_FOLDER)
    crash_point("model.renamed")
    result = StageResult(kind, name, step, config_sha256, MODEL_FOLDER, weights_sha256(folder / MODEL_FOLDER))
    with atomic_write(folder / STAGE_FILE, "commit") as path:
        path.write_text(encode_stage(result))
    return result


def _model_beside(folder: Path) -> Path:
    """Where `model/` is written before it is renamed: this process's alone, on every machine that shares the folder. What ended processes
    left there is removed."""
    for left in folder.glob(f".{MODEL_FOLDER}.*tmp"):
        if not may_be_in_use(left):
            shutil.rmtree(left, ignore_errors=True)
    return temporary_beside(folder / MODEL_FOLDER)


def refuse_changes(state: StageState, contents: Mapping[str, str]) -> None:
    """Raises UsageError that lists what changed since the folder's checkpoints were written; `contents` are those of the data now."""
    path = state.folder / CONTENTS_FILE
    former = json.loads(path.read_text()) if path.exists() else {}
    changes = []
    for change in state.changes:
        is_digest = change.startswith("data.digest: ")
        changes += (describe_change(former, contents) if is_digest else []) or [change]
    more = [f"and {len(changes) - MAX_NAMED} more"] if len(changes) > MAX_NAMED else []
    lines = "\n  ".join([*changes[:MAX_NAMED], *more])
    step = f" to step {parse_checkpoint_name(state.checkpoint.name)}" if state.checkpoint is not None else ""
    raise UsageError(
        f"{state.folder}: was trained{step} with other settings (then -> now):\n  {lines}\n"
        "set them as they were, choose another --output to begin anew, or add --allow_changed true to go on from its "
        "checkpoint all the same"
    )
