"""Values over a pipe between two processes that do not trust each other: a JSON header and raw buffers, never pickle.

A message is an 8-byte length, that many bytes of JSON, then the buffers it counts, each at a multiple of 16 bytes, so that an array can
be used where it arrived. JSON values, tuples, bytes, numpy arrays, paths, Fractions and dataclasses of these go through unchanged.
"""

import dataclasses
import importlib
import json
import struct
from collections.abc import Collection, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

LENGTH = struct.Struct("<Q")
"""The 8 bytes before a header."""

MAX_HEADER_BYTES = 256 << 20
"""Longest JSON that is read: beyond it, a message is nonsense."""

ALIGNMENT = 16
"""Every buffer begins at a multiple of it: the largest item of an array is a complex number of 16 bytes, but for long doubles."""

MARK = "$"
"""Key of a JSON object that stands for something JSON has not."""


def encode_message(value: Any) -> list[bytes | memoryview]:
    """A value as the pieces to write, in order; the inverse of `decode_message`. Raises TypeError on what cannot be sent."""
    buffers: list[bytes | memoryview] = []
    tree = _encode(value, buffers)
    header = json.dumps({"value": tree, "sizes": [len(buffer) for buffer in buffers]}).encode()
    header += b" " * _padding(LENGTH.size + len(header))
    padded = [piece for buffer in buffers for piece in (buffer, bytes(_padding(len(buffer))))]
    return [LENGTH.pack(len(header)), header, *padded]


def _padding(size: int) -> int:
    return -size % ALIGNMENT


def message_size(head: bytes | bytearray | memoryview) -> int | None:
    """Bytes of the whole message that begins with `head`, or None while `head` is too short to tell.

    Raises ValueError when it is no message.
    """
    if len(head) < LENGTH.size:
        return None
    (header_size,) = LENGTH.unpack_from(head)
    if header_size > MAX_HEADER_BYTES:
        raise ValueError(f"a header of {header_size} bytes, limit {MAX_HEADER_BYTES}")
    start = LENGTH.size + header_size
    if len(head) < start:
        return None
    header = json.loads(bytes(head[LENGTH.size : start]))
    sizes = header.get("sizes") if isinstance(header, dict) else None
    if not isinstance(sizes, list) or not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise ValueError(f"buffer sizes {sizes!r}")
    return start + sum(size + _padding(size) for size in sizes)


def decode_message(message: bytes | bytearray | memoryview, packages: Collection[str]) -> Any:
    """The value of a whole message. Dataclasses are made only of modules in these top-level packages.

    An array that is most of a message that can be written to keeps its place there; smaller ones are copied out, so that they do not
    hold on to it. Raises ValueError on anything that `encode_message` does not write.
    """
    (header_size,) = LENGTH.unpack_from(message)
    start = LENGTH.size + header_size
    view = memoryview(message)
    header = json.loads(bytes(view[LENGTH.size : start]))
    buffers = []
    for size in header["sizes"]:
        buffer = view[start : start + size]
        buffers.append(buffer if 2 * size > len(view) and not view.readonly else memoryview(bytearray(buffer)))
        start += size + _padding(size)
    try:
        return _decode(header["value"], buffers, packages)
    except (AttributeError, ImportError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"not a message: {error!r}") from error


def _encode(value: Any, buffers: list[bytes | memoryview]) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list):
        return [_encode(item, buffers) for item in value]
    if isinstance(value, dict):
        if odd := [key for key in value if not isinstance(key, str) or key == MARK]:
            raise TypeError(f"dict with key {odd[0]!r} cannot be sent to another process: keys are strings")
        return {key: _encode(item, buffers) for key, item in value.items()}
    return {MARK: _encode_special(value, buffers)}


def _encode_special(value: Any, buffers: list[bytes | memoryview]) -> list:
    if isinstance(value, tuple):
        return ["tuple", *(_encode(item, buffers) for item in value)]
    if isinstance(value, Path):
        return ["path", str(value)]
    if isinstance(value, Fraction):
        return ["fraction", value.numerator, value.denominator]
    if isinstance(value, (bytes, bytearray)):
        buffers.append(bytes(value))
        return ["bytes", len(buffers) - 1]
    if isinstance(value, np.ndarray) and not value.dtype.hasobject and value.dtype.names is None:
        buffers.append(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data if value.size else b"")
        return ["array", len(buffers) - 1, value.dtype.str, list(value.shape)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _encode(getattr(value, f.name), buffers) for f in dataclasses.fields(value) if f.init}
        return ["record", type(value).__module__, type(value).__qualname__, fields]
    raise TypeError(f"{type(value).__name__} cannot be sent to another process")


def _decode(tree: Any, buffers: list[memoryview], packages: Collection[str]) -> Any:
    if isinstance(tree, list):
        return [_decode(item, buffers, packages) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if MARK not in tree:
        return {key: _decode(item, buffers, packages) for key, item in tree.items()}
    kind, *rest = tree[MARK]
    if kind == "tuple":
        return tuple(_decode(item, buffers, packages) for item in rest)
    if kind == "path":
        return Path(rest[0])
    if kind == "fraction":
        return Fraction(*rest)
    if kind == "bytes":
        return bytes(buffers[rest[0]])
    if kind == "array":
        return _decode_array(buffers[rest[0]], np.dtype(rest[1]), rest[2])
    if kind == "record":
        module, name, fields = rest
        record = find_class(module, name, packages)
        if not dataclasses.is_dataclass(record):
            raise ValueError(f"{module}.{name} is no dataclass")
        return record(**{key: _decode(item, buffers, packages) for key, item in fields.items()})
    raise ValueError(f"a value of kind {kind!r}")


def _decode_array(buffer: memoryview, dtype: np.dtype, shape: list[int]) -> np.ndarray:
    if dtype.hasobject:
        raise ValueError(f"an array of {dtype}")
    return np.frombuffer(buffer, dtype).reshape(shape)


def find_class(module: str, name: str, packages: Collection[str]) -> Any:
    """The class of that name in a module of one of these top-level packages. Raises ValueError when there is none."""
    if module.split(".")[0] not in packages:
        raise ValueError(f"{module}.{name} is in none of the packages {sorted(packages)}")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type):
        raise ValueError(f"{module}.{name} is no class")
    return found


def iter_views(pieces: list[bytes | memoryview]) -> Iterator[memoryview]:
    """The pieces of a message as views that can be written bit by bit; empty ones left out."""
    for piece in pieces:
        if len(piece):
            yield memoryview(piece).cast("B")
