"""Storage of torch.distributed.checkpoint (DCP) without pickle: a safetensors file a rank, and an index of their pieces in JSON.

DCP's own storage keeps its index, `.metadata`, as a pickle, which runs code when it is read; here DCP plans what each rank writes and
reads, and only numbers and names are on disk. Any mesh reads what any other wrote: a piece is a box of a tensor, and a rank reads the
boxes that its own overlaps.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint import (
    LoadPlan,
    LoadPlanner,
    Metadata,
    SavePlan,
    SavePlanner,
    StorageReader,
    StorageWriter,
)
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)
from torch.distributed.checkpoint.planner import WriteItem
from torch.distributed.checkpoint.storage import WriteResult
from torch.futures import Future

from moviegen.contracts.lake import crash_point
from training.checkpoint import SHARDS_FILE
from training.parallel.pieces import Piece, Stored, decode_shards, encode_shards, shard_name
from training.parallel.tensor_file import TensorSpec, in_file_order, spec_of, write_tensors
from training.summed import fsync


class ShardWriter(StorageWriter):
    """Writes this rank's pieces into a folder that is there; the first rank then writes the index and calls `commit` with the SHA-256 of
    every file."""

    def __init__(self, folder: Path, rank: int, commit: Callable[[dict[str, str]], None]) -> None:
        self._folder, self._rank, self._commit = folder, rank, commit

    def reset(self, checkpoint_id: Any = None) -> None:
        """Nothing to do: one writer a checkpoint."""

    def set_up_storage_writer(self, is_coordinator: bool, *args: Any, **kwargs: Any) -> None:
        """Nothing to do: the folder is there."""

    def prepare_local_plan(self, plan: SavePlan) -> SavePlan:
        """As it is."""
        return plan

    def prepare_global_plan(self, plans: list[SavePlan]) -> list[SavePlan]:
        """As they are."""
        return plans

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Future[list[WriteResult]]:
        """Writes this rank's file, piece by piece."""
        file = shard_name(self._rank)
        items = {_key(item): item for item in plan.items if _box(item).numel() or not item.tensor_data.size.numel()}
        specs = {key: TensorSpec(item.tensor_data.properties.dtype, tuple(_box(item))) for key, item in items.items()}
        tensors: Iterable[Tensor] = (_plain(planner.resolve_data(items[key])) for key in in_file_order(specs))
        sha256 = write_tensors(self._folder / file, specs, tensors)
        crash_point("shards.written")
        done: Future[list[WriteResult]] = Future()
        done.set_result(
            [
                WriteResult(item.index, specs[key].nbytes, (file, sha256, tuple(_box(item))))
                for key, item in items.items()
            ]
            or [WriteResult(MetadataIndex(""), 0, (file, sha256, ()))]
        )
        return done

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:
        """Writes the index; on the first rank, once all have written."""
        written = [result for rows in results for result in rows]
        pieces: dict[str, list[Piece]] = {}
        for result in written:
            file, _, shape = result.storage_data
            if result.index.fqn:
                offset = tuple(result.index.offset or ())
                pieces.setdefault(result.index.fqn, []).append(Piece(offset, shape, file))
        tensors = {
            name: Stored(TensorSpec(row.properties.dtype, tuple(row.size)), tuple(sorted(pieces[name], key=_place)))
            for name, row in metadata.state_dict_metadata.items()
        }
        (self._folder / SHARDS_FILE).write_text(encode_shards(tensors))
        fsync(self._folder / SHARDS_FILE)
        self._commit({result.storage_data[0]: result.storage_data[1] for result in written})

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: Any) -> bool:
        """Folders are given to the constructor."""
        return False


def _place(piece: Piece) -> tuple[int, ...]:
    return piece.offset


def _box(item: WriteItem) -> torch.Size:
    return item.tensor_data.chunk.sizes  # type: ignore[union-attr]


def _key(item: WriteItem) -> str:
    return Piece(tuple(item.index.offset or ()), (), "").key(item.index.fqn)


def _plain(data: Any) -> Tensor:
    return data.detach()


class BoxReader(StorageReader):
    """Reads boxes of tensors that `read(name, piece)` gives whole pieces of, or slices of them."""

    def __init__(self, tensors: Mapping[str, Stored]) -> None:
        self._tensors = tensors

    def reset(self, checkpoint_id: Any = None) -> None:
        """Nothing to do."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        """What DCP plans with."""
        rows: dict[str, Any] = {}
        for name, stored in self._tensors.items():
            chunks = [ChunkStorageMetadata(torch.Size(p.offset), torch.Size(p.shape)) for p in stored.pieces]
            properties = TensorProperties(dtype=stored.spec.dtype)
            rows[name] = TensorStorageMetadata(properties, torch.Size(stored.spec.shape), chunks)
        return Metadata(state_dict_metadata=rows)

    def set_up_storage_reader(self, metadata: Metadata, is_coordinator: bool, *args: Any, **kwargs: Any) -> None:
        """Notes where pieces lie."""
        self._pieces = {
            (name, piece.offset): piece for name, stored in self._tensors.items() for piece in stored.pieces
        }

    def prepare_local_plan(self, plan: LoadPlan) -> LoadPlan:
        """As it is."""
        return plan

    def prepare_global_plan(self, plans: list[LoadPlan]) -> list[LoadPlan]:
        """As they are."""
        return plans

    def read_data(self, plan: LoadPlan, planner: LoadPlanner) -> Future[None]:
        """Fills this rank's tensors, file by file."""
        rows = [(self._piece(item.storage_index), item) for item in plan.items]
        for file, group in groupby(sorted(rows, key=lambda row: row[0].file), key=lambda row: row[0].file):
            with self.opened(file) as read:
                for piece, item in group:
                    box = tuple(slice(o, o + n) for o, n in zip(item.storage_offsets, item.lengths, strict=True))
                    target = planner.resolve_tensor(item).detach()
                    target.copy_(read(item.storage_index.fqn, piece, box).reshape(target.shape))
                    planner.commit_tensor(item, target)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def _piece(self, index: MetadataIndex) -> Piece:
        stored = self._tensors[index.fqn]
        offset = tuple(index.offset) if index.offset is not None else (0,) * len(stored.spec.shape)
        return self._pieces[index.fqn, offset]

    def opened(self, file: str) -> Any:
        """A context that gives (name, piece, box within the piece) -> tensor."""
        raise NotImplementedError

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: Any) -> bool:
        """Folders are given to the constructor."""
        return False


class ShardReader(BoxReader):
    """Reads a folder that `ShardWriter` wrote."""

    def __init__(self, folder: Path) -> None:
        super().__init__(decode_shards((folder / SHARDS_FILE).read_text()))
        self._folder = folder

    @property
    def specs(self) -> dict[str, TensorSpec]:
        """Dtype and shape of every tensor."""
        return {name: stored.spec for name, stored in self._tensors.items()}

    def opened(self, file: str) -> Any:
        """The file, mapped: only what is asked for is read."""
        return _Opened(self._folder / file)


class _Opened:
    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        self._file = safe_open(path, "pt")

    def __enter__(self) -> Callable[[str, Piece, tuple[slice, ...]], Tensor]:
        self._file.__enter__()
        return self._read

    def _read(self, name: str, piece: Piece, box: tuple[slice, ...]) -> Tensor:
        key = piece.key(name)
        return self._file.get_slice(key)[box] if box else self._file.get_tensor(key)

    def __exit__(self, *error: object) -> None:
        self._file.__exit__(None, None, None)


class MemoryReader(BoxReader):
    """Reads whole tensors in memory, as if each were one piece."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__(
            {
                name: Stored(spec_of(tensor), (Piece((0,) * tensor.dim(), tuple(tensor.shape), ""),))
                for name, tensor in tensors.items()
            }
        )
        self._whole = tensors

    def opened(self, file: str) -> Any:
        """The tensors."""
        return _InMemory(self._whole)


class _InMemory:
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._whole = tensors

    def __enter__(self) -> Callable[[str, Piece, tuple[slice, ...]], Tensor]:
        return lambda name, piece, box: self._whole[name][box] if box else self._whole[name]

    def __exit__(self, *error: object) -> None:
        """Nothing to close."""
