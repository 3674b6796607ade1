"""Checkpoints as folders that appear whole or not at all, and the newest one that is whole.

`step-00000100.ckpt/` holds `state.pt` (weights, optimiser, lr schedule, EMA, loader, counters) and `sha256sums.json`. It is
written beside its final place, synced and renamed; the file `latest`, which names it, comes last. Lightning's own writer goes
through the system's temporary folder and is atomic only when that lies on the same disk.

Ranks that share the weights write one by `training.parallel.save`: `state.pt` then has a mark in place of each tensor, and the tensors lie
in pieces in `shard-00000.safetensors`, ... (`training.parallel.storage`). Both kinds hold the same state: either is resumed on any ranks.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import atomic_write, crash_point
from moviegen.disk import writing
from moviegen.errors import MovieGenError
from moviegen.temporary import temporary_beside
from training.summed import SummedFile, fsync

STATE_FILE = "state.pt"
SUMS_FILE = "sha256sums.json"
SHARDS_FILE = "shards.json"
LATEST_FILE = "latest"
"""Holds the name of the checkpoint written last: for people and other programs."""

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


def check_checkpoint(path: Path, rank: int = 0, world_size: int = 1) -> None:
    """Raises CheckpointError when a file is missing or its bytes are not those written; ranks look at a share of the files each."""
    try:
        for name, sha256 in sorted(_sums(path).items())[rank::world_size]:
            if file_sha256(path / name) != sha256:
                raise CheckpointError(f"{path / name}: its bytes are not those written (sha256 differs)")
    except OSError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _sums(path: Path) -> dict[str, str]:
    """SHA-256 of each file of a checkpoint. Raises CheckpointError."""
    try:
        sums = dict(json.loads((path / SUMS_FILE).read_text()))
        if STATE_FILE not in sums:
            raise CheckpointError(f"{path / SUMS_FILE}: names no {STATE_FILE}")
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return sums


def newest_checkpoint(folder: Path, is_first: bool = True) -> tuple[Path | None, list[str]]:
    """(the newest whole checkpoint or None, what is wrong with each newer one). Of many ranks the first one's answer counts; the others
    look at names alone, and ranks check what they read."""
    faults = []
    for path in reversed(checkpoints(folder)):
        try:
            (check_checkpoint if is_first else _sums)(path)
        except CheckpointError as error:
            faults.append(str(error))
        else:
            return path, _missing(folder, path) + faults
    return None, _missing(folder, None) + faults


def _missing(folder: Path, newest: Path | None) -> list[str]:
    """The fault that the checkpoint which `latest` names is gone, when it is newer than the newest there is."""
    latest = folder / LATEST_FILE
    name = latest.read_text().strip() if latest.is_file() else ""
    step = parse_checkpoint_name(name)
    if step is None or (folder / name).exists() or (newest is not None and newest.name >= name):
        return []
    return [f"{latest}: names {name}, which is gone"]


def set_damaged_aside(folder: Path, newest: Path | None) -> list[Path]:
    """Renames every checkpoint newer than the newest whole one, so that it is neither counted nor overwritten; their new places."""
    places = []
    for path in checkpoints(folder):
        if newest is None or path.name > newest.name:
            place = path.with_name(f"{path.name}.damaged")
            shutil.rmtree(place, ignore_errors=True)
            os.replace(path, place)
            crash_point("damaged.renamed")
            places.append(place)
    return places


def restore_replaced(folder: Path) -> list[Path]:
    """Puts back checkpoints of runs that were killed after one was moved aside and before its follower took its place; their paths."""
    restored = []
    for aside in folder.glob(f".*{ASIDE}"):
        path = folder / aside.name.removeprefix(".").partition(".ckpt.")[0]
        path = path.with_name(f"{path.name}.ckpt")
        if parse_checkpoint_name(path.name) is not None and not path.exists():
            os.replace(aside, path)
            restored.append(path)
    return restored


def remove_temporaries(folder: Path) -> None:
    """Deletes what runs that were killed left half-written; for whoever holds the stage's lock."""
    for path in folder.glob(".*.tmp"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def load_state(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """The state of a checkpoint: tensors and plain values only, no pickled code. Raises CheckpointError."""
    check_checkpoint(path)
    state = read_state(path, map_location)
    if not is_sharded(path):
        return state
    from training.parallel.save import load_whole

    return load_whole(path, state)


def read_state(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """`state.pt` alone, of a checkpoint that was checked."""
    return torch.load(path / STATE_FILE, map_location=map_location, weights_only=True)


def is_sharded(path: Path) -> bool:
    """Whether its tensors lie in pieces beside `state.pt`."""
    return (path / SHARDS_FILE).exists()


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Writes a checkpoint, then `latest`; one of the same name is replaced. Raises DiskError when the disk refuses."""
    with writing(path, lambda: num_bytes(state)):
        _write_folder(path, lambda folder: write_state(state, folder, {}))
        name_latest(path)


def remove_checkpoint(path: Path) -> None:
    """Deletes a checkpoint: renamed first, so that one that is half deleted is a temporary, which the next run removes."""
    going = temporary_beside(path)
    with contextlib.suppress(FileNotFoundError):
        os.replace(path, going)
    crash_point("checkpoint.dropped")
    shutil.rmtree(going, ignore_errors=True)


def name_latest(path: Path) -> None:
    """Names a checkpoint in `latest`."""
    if parse_checkpoint_name(path.name) is not None:
        with atomic_write(path.parent / LATEST_FILE, "latest") as temporary:
            temporary.write_text(f"{path.name}\n")


def num_bytes(state: Any) -> int:
    """Size of all tensors of a state: what its file needs, roughly."""
    return sum(leaf.nbytes for leaf in tree_leaves(state) if isinstance(leaf, torch.Tensor))


ASIDE = ".old.tmp"
"""End of the name of a checkpoint that another is about to replace."""


def _aside(path: Path) -> Path:
    """Where it goes meanwhile: this process's alone, on every machine that shares the folder."""
    return temporary_beside(path).with_suffix(ASIDE)


def _write_folder(path: Path, write: Callable[[Path], None]) -> None:
    """A folder that `write` fills, under its name only when it is whole."""
    temporary = temporary_beside(path)
    temporary.mkdir(parents=True)
    try:
        write(temporary)
        settle_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def settle_folder(temporary: Path, path: Path) -> None:
    """Syncs a folder that is whole and gives it its name, in place of a former one of that name, which stays where the disk refuses."""
    former = _aside(path)
    fsync(temporary)
    crash_point("checkpoint.synced")
    if path.exists():
        os.replace(path, former)
        crash_point("checkpoint.replaced")
    try:
        os.replace(temporary, path)
    except OSError:
        if former.exists():
            os.replace(former, path)
        raise
    crash_point("checkpoint.renamed")
    fsync(path.parent)
    crash_point("checkpoint.settled")
    shutil.rmtree(former, ignore_errors=True)


def write_state(checkpoint: dict[str, Any], folder: Path, sums: dict[str, str]) -> None:
    """Writes `state.pt` and, after it, the sums of all files; `sums` are those of files that are there already."""
    with SummedFile(folder / STATE_FILE) as file:
        file.save(checkpoint)
    crash_point("checkpoint.written")
    path = folder / SUMS_FILE
    path.write_text(json.dumps({**sums, STATE_FILE: file.sha256}) + "\n")
    fsync(path)
