"""Checkpoints as folders that appear whole or not at all, and the newest one that is whole.

`step-00000100.ckpt/` holds `state.pt` (weights, optimiser, lr schedule, EMA, loader, counters) and `sha256sums.json`. It is
written beside its final place, synced and renamed. Lightning's own writer goes through the system's temporary folder and
is atomic only when that lies on the same disk.
"""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import crash_point
from moviegen.errors import MovieGenError

STATE_FILE = "state.pt"
SUMS_FILE = "sha256sums.json"
_NAME = re.compile(r"step-(\d{8})\.ckpt")


class CheckpointError(MovieGenError):
    """A checkpoint that is not what was written."""


def checkpoint_name(step: int) -> str:
    """Folder of the checkpoint of a step: `step-00000100.ckpt`."""
    return f"step-{step:08d}.ckpt"


def parse_checkpoint_name(name: str) -> int | None:
    """The step of a folder's name, or None when it is no checkpoint's; the inverse of `checkpoint_name`."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a stage by step, whole or not."""
    paths = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in paths if parse_checkpoint_name(path.name) is not None)


def check_checkpoint(path: Path) -> None:
    """Raises CheckpointError when a file is missing or its bytes are not those written."""
    try:
        sums = json.loads((path / SUMS_FILE).read_text())
        for name, sha256 in sums.items():
            if file_sha256(path / name) != sha256:
                raise CheckpointError(f"{path / name}: its bytes are not those written (sha256 differs)")
        if STATE_FILE not in sums:
            raise CheckpointError(f"{path / SUMS_FILE}: names no {STATE_FILE}")
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: {error}") from error


def newest_checkpoint(folder: Path) -> tuple[Path | None, list[str]]:
    """(the newest whole checkpoint or None, what is wrong with each newer one)."""
    faults = []
    for path in reversed(checkpoints(folder)):
        try:
            check_checkpoint(path)
        except CheckpointError as error:
            faults.append(str(error))
        else:
            return path, faults
    return None, faults


def load_state(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """The state of a checkpoint: tensors and plain values only, no pickled code. Raises CheckpointError."""
    check_checkpoint(path)
    return torch.load(path / STATE_FILE, map_location=map_location, weights_only=True)


class FolderCheckpointIO(CheckpointIO):
    """Lightning's plugin for folders as above."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Writes a checkpoint; one of the same name is replaced."""
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            torch.save(checkpoint, temporary / STATE_FILE)
            crash_point("checkpoint.written")
            sums = {STATE_FILE: file_sha256(temporary / STATE_FILE)}
            (temporary / SUMS_FILE).write_text(json.dumps(sums) + "\n")
            for place in (temporary / STATE_FILE, temporary / SUMS_FILE, temporary):
                _fsync(place)
            crash_point("checkpoint.synced")
            if path.exists():
                shutil.rmtree(path)
            os.replace(temporary, path)
            _fsync(path.parent)
            crash_point("checkpoint.renamed")
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """The state of a checkpoint, on the CPU unless told otherwise."""
        return load_state(Path(path), map_location or "cpu")

    def remove_checkpoint(self, path: str | Path) -> None:
        """Deletes a checkpoint: the sums first, so that one that is half deleted counts as broken."""
        (Path(path) / SUMS_FILE).unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
