"""The index of a checkpoint in pieces, `shards.json`: where each box of each tensor lies."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.parallel.tensor_file import DTYPES, TensorSpec

INDEX_FORMAT = 1

_DTYPES = {name: dtype for dtype, name in DTYPES.items()}


def shard_name(rank: int) -> str:
    """File of what a rank wrote."""
    return f"shard-{rank:05d}.safetensors"


@dataclass(frozen=True)
class Piece:
    """A box of a tensor in a file."""

    offset: tuple[int, ...]
    shape: tuple[int, ...]
    file: str

    def key(self, name: str) -> str:
        """Its name in that file."""
        return f"{name}@{','.join(map(str, self.offset))}"


@dataclass(frozen=True)
class Stored:
    """A tensor in pieces."""

    spec: TensorSpec
    pieces: tuple[Piece, ...]


def encode_shards(tensors: Mapping[str, Stored]) -> str:
    """The index of a checkpoint's pieces."""
    rows = {
        name: {
            "dtype": DTYPES[stored.spec.dtype],
            "shape": list(stored.spec.shape),
            "pieces": [[list(piece.offset), list(piece.shape), piece.file] for piece in stored.pieces],
        }
        for name, stored in sorted(tensors.items())
    }
    return json.dumps({"format": INDEX_FORMAT, "tensors": rows}) + "\n"


def decode_shards(text: str) -> dict[str, Stored]:
    """The inverse of `encode_shards`. Raises ValueError for what is no index, or names a file elsewhere."""
    values = json.loads(text)
    if not isinstance(values, dict) or values.get("format") != INDEX_FORMAT:
        raise ValueError(f"wanted format {INDEX_FORMAT}")
    try:
        return {name: _stored(row) for name, row in values["tensors"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no index of pieces: {error!r}") from error


def _stored(row: Mapping[str, Any]) -> Stored:
    pieces = tuple(Piece(tuple(offset), tuple(shape), file) for offset, shape, file in row["pieces"])
    if odd := [piece.file for piece in pieces if piece.file != Path(piece.file).name]:
        raise ValueError(f"{odd[0]}: wanted the name of a file in the same folder")
    return Stored(TensorSpec(_DTYPES[row["dtype"]], tuple(row["shape"])), pieces)
