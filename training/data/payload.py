"""Tensors of one sample as the bytes of a safetensors file, and where each lies in them, so that they are read in place.

A payload comes from a checked tar, but its header is believed no further than that: every tensor must lie inside the payload and be as long
as its shape says. safetensors' own reader wants immutable bytes and copies each tensor out of them.
"""

import json
import math
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import torch
from safetensors.torch import save
from torch import Tensor

MAX_HEADER_BYTES = 1 << 20
"""Our decision: a few tensors' names, and a caption."""

_LENGTH = struct.Struct("<Q")

_DTYPES = {
    "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64,
    "I64": torch.int64, "I32": torch.int32, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip


class Place(NamedTuple):
    """Where a tensor lies in its payload."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int
    """Its first byte, counted from the payload's."""
    size: int
    """Bytes."""


Layout = Mapping[str, Place]


def encode_payload(tensors: Mapping[str, Tensor], notes: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file of these tensors; the same tensors give the same bytes."""
    return save({name: tensor.contiguous() for name, tensor in tensors.items()}, dict(notes) if notes else None)


def payload_layout(content: memoryview) -> Layout:
    """The tensors of a payload by name; not to be changed. Raises ValueError when it is none."""
    try:
        size, (length,) = len(content), _LENGTH.unpack_from(content)
        if length > MAX_HEADER_BYTES or length > size - 8:
            raise ValueError(f"header of {length} bytes in {size}")
        layout = _layout if length <= MAX_KNOWN_BYTES else _layout.__wrapped__
        return layout(bytes(content[8 : 8 + length]), size)
    except (struct.error, KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise ValueError(f"no safetensors payload: {error}") from error


MAX_KNOWN_BYTES = 1 << 10
"""Headers up to this size are remembered, read and checked: samples of one shape and length have the same."""


@lru_cache(maxsize=4096)
def _layout(header: bytes, size: int) -> Layout:
    """The layout of a payload of `size` bytes with that header. Raises ValueError when a tensor does not lie inside it."""
    rows = json.loads(header)
    rows.pop("__metadata__", None)
    start = 8 + len(header)
    found = {}
    for name, row in rows.items():
        dtype, shape, (begin, end) = _DTYPES[row["dtype"]], tuple(row["shape"]), row["data_offsets"]
        if (
            not (0 <= begin <= end <= size - start)
            or min(shape, default=0) < 0
            or end - begin != math.prod(shape) * dtype.itemsize
        ):
            raise ValueError(f"tensor of shape {shape} at {begin}..{end} of {size - start} bytes")
        found[name] = Place(dtype, shape, start + begin, end - begin)
    return found
