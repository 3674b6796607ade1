"""Checkpoints of ranks that share the weights: each writes and reads its own part, while training goes on where that is asked for.

What is saved is Lightning's dict as ever; only where its tensors lie differs. The folder gets its name when all parts are there, so a
kill while it is written costs this checkpoint alone.
"""

import shutil
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import checkpoint as dcp
from torch.distributed.checkpoint.api import CheckpointException

from moviegen.contracts.clip import file_sha256
from moviegen.disk import writing
from training.checkpoint import (
    SHARDS_FILE,
    CheckpointError,
    is_sharded,
    name_latest,
    num_bytes,
    read_state,
    settle_folder,
    write_state,
)
from training.parallel.storage import MemoryReader, ShardReader, ShardWriter
from training.parallel.tree import join_tensors, marks, split_tensors

NOT_WANTED = torch.empty(0)
"""In place of a live tensor: what was saved stays on disk."""

Like = Callable[[tuple[Any, ...]], Tensor | None]
"""Path of a tensor in a checkpoint -> a live tensor that is divided over the ranks as this one is to be; None: whole on
each; `NOT_WANTED`: not read."""


class ShardedSaver:
    """Writes checkpoints of all ranks of a process group of the CPU's own, one at a time."""

    def __init__(self, group: dist.ProcessGroup, is_async: bool) -> None:
        self._group, self._is_async = group, is_async
        self._pending: Future[Any] | None = None
        self._when_saved: Callable[[], None] = lambda: None

    def save(self, state: dict[str, Any], path: Path, when_saved: Callable[[], None] = lambda: None) -> None:
        """Writes a state, or begins to; `when_saved` is called on all ranks, by this method or the next `wait`, once it is safe.
        Raises DiskError when the disk refused this one or the one before."""
        self.wait()
        rest, tensors = split_tensors(state)
        temporary = path.with_name(f".{path.name}.shards.tmp")
        rank = dist.get_rank(self._group)
        if rank == 0:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
        dist.barrier(self._group)
        size = num_bytes(state)
        writer = ShardWriter(temporary, rank, lambda sums: _commit(rest, temporary, path, sums, size))
        self._when_saved = when_saved
        begin = dcp.async_save if self._is_async else _save_now
        self._pending = begin(tensors, storage_writer=writer, process_group=self._group)
        if not self._is_async:
            self.wait()

    def wait(self) -> None:
        """Waits for the checkpoint that is being written. Raises what went wrong with it, on every rank."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        try:
            pending.result()
        except CheckpointException as error:
            raise _first(error) from error
        self._when_saved()


def _save_now(tensors: dict[str, Tensor], **options: Any) -> Future[Any]:
    done: Future[Any] = Future()
    try:
        done.set_result(dcp.save(tensors, **options))
    except CheckpointException as error:
        done.set_exception(error)
    return done


def _first(error: CheckpointException) -> BaseException:
    """What one rank said, of what all said."""
    failures = list(error.failures.values())
    return failures[0][0] if failures else error


def _commit(rest: dict[str, Any], temporary: Path, path: Path, sums: dict[str, str], size: int) -> None:
    with writing(path, lambda: size):
        sums = {**sums, SHARDS_FILE: file_sha256(temporary / SHARDS_FILE)}
        write_state(rest, temporary, sums)
        settle_folder(temporary, path)
        name_latest(path)


def load_sharded(path: Path, like: Like, group: dist.ProcessGroup) -> dict[str, Any]:
    """The state of a checkpoint of either kind, each tensor divided as `like` says; live tensors that `like` gives are written to where
    dtype and shape agree. The files must have been checked."""
    state = read_state(path)
    if is_sharded(path):
        reader: Any = ShardReader(path)
        specs = reader.specs
        paths = marks(state)
    else:
        state, whole = split_tensors(state)
        reader, paths = MemoryReader(whole), marks(state)
        specs = dict(whole)
    likes = {name: like(place) for name, place in paths.items()}
    targets = {name: _target(each, specs[name]) for name, each in likes.items() if each is not NOT_WANTED}
    _load(path, targets, reader, process_group=group)
    return join_tensors(state, {**dict.fromkeys(likes), **targets})


@torch.no_grad()
def _target(like: Tensor | None, spec: Any) -> Tensor:
    """Where a tensor is loaded to."""
    if like is None or tuple(like.shape) != tuple(spec.shape):
        return torch.empty(tuple(spec.shape), dtype=spec.dtype)
    return torch.empty_like(like.detach(), dtype=spec.dtype, requires_grad=False)


def _load(path: Path, targets: dict[str, Tensor], reader: Any, **options: Any) -> None:
    """Fills tensors. Raises CheckpointError; DCP's own exception is no Exception."""
    try:
        dcp.load(targets, storage_reader=reader, **options)
    except CheckpointException as error:
        raise CheckpointError(f"{path}: {_first(error)}") from error


def load_whole(path: Path, rest: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a checkpoint in pieces, put together on this process alone."""
    try:
        reader = ShardReader(path)
        names = marks(rest)
        targets = {name: torch.empty(spec.shape, dtype=spec.dtype) for name, spec in reader.specs.items()}
        if missing := sorted(set(names) - set(targets)):
            raise CheckpointError(f"{path / SHARDS_FILE}: {missing[0]} is missing")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # on purpose
            _load(path, targets, reader, no_dist=True)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return join_tensors(rest, targets)
