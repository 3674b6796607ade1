"""Fixtures for detectors whose weights come by path: small ONNX files, written without the onnx package."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

_FLOAT, _INT64 = 1, 7
"""Element types of ONNX's TensorProto."""


def varint(number: int) -> bytes:
    """Protobuf's variable-length whole number."""
    groups = []
    while True:
        groups.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(groups)


def field(number: int, value: int | str | bytes) -> bytes:
    """A field of a protobuf message: a whole number, a text, or a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(name: str, values: np.ndarray) -> bytes:
    """TensorProto."""
    kind = _INT64 if values.dtype == np.int64 else _FLOAT
    content = values.astype("<i8" if kind == _INT64 else "<f4").tobytes()
    return b"".join(field(1, n) for n in values.shape) + field(2, kind) + field(8, name) + field(9, content)


def value_info(name: str, shape: tuple) -> bytes:
    """ValueInfoProto of a float tensor; a text in the shape is an open axis."""
    axes = b"".join(field(1, field(1, n) if isinstance(n, int) else field(2, n)) for n in shape)
    return field(1, name) + field(2, field(1, field(1, _FLOAT) + field(2, axes)))


def attribute(name: str, value: int | list[int]) -> bytes:
    """AttributeProto of a whole number or several."""
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, 2)
    return field(1, name) + b"".join(field(8, n) for n in value) + field(20, 7)


def node(op: str, inputs: list[str], outputs: list[str], attributes: dict | None = None) -> bytes:
    """NodeProto."""
    places = b"".join(field(1, n) for n in inputs) + b"".join(field(2, n) for n in outputs)
    return places + field(4, op) + b"".join(field(5, attribute(k, v)) for k, v in (attributes or {}).items())


@pytest.fixture(scope="session")
def write_onnx() -> Callable[..., Path]:
    """`write_onnx(path, nodes, inputs, outputs, constants=, metadata=)`: a model of (op, inputs, outputs, attributes) nodes."""

    def write(path: Path, nodes, inputs: dict, outputs: dict, constants=None, metadata=None) -> Path:
        graph = b"".join(field(1, node(*n)) for n in nodes) + field(2, "test")
        graph += b"".join(field(5, tensor(k, v)) for k, v in (constants or {}).items())
        graph += b"".join(field(11, value_info(k, v)) for k, v in inputs.items())
        graph += b"".join(field(12, value_info(k, v)) for k, v in outputs.items())
        model = field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 17))
        model += b"".join(field(14, field(1, k) + field(2, v)) for k, v in (metadata or {}).items())
        path.write_bytes(model)
        return path

    return write


@pytest.fixture(scope="session")
def cell_yolo(write_onnx, tmp_path_factory) -> Path:
    """A YOLO export of 64 x 64 pixels that finds red persons, green dogs and blue cars, exactly.

    A cell of 8 x 8 pixels holds one anchor; its probabilities are the cell's mean colours. Boxes lie about the cell's centre, 8 pixels
    wide and high in the upper half of the picture, 16 in the lower.
    """
    rows, columns = (axis.ravel() for axis in np.mgrid[0:8, 0:8])
    side = np.where(rows < 4, 8, 16)
    boxes = np.stack([columns * 8 + 4, rows * 8 + 4, side, side])[None].astype(np.float32)
    nodes = [
        ("AveragePool", ["images"], ["cells"], {"kernel_shape": [8, 8], "strides": [8, 8]}),
        ("Reshape", ["cells", "flat"], ["colours"]),
        ("Concat", ["boxes", "colours"], ["output0"], {"axis": 1}),
    ]
    return write_onnx(
        tmp_path_factory.mktemp("yolo") / "cells.onnx",
        nodes,
        {"images": (1, 3, 64, 64)},
        {"output0": (1, 7, 64)},
        {"boxes": boxes, "flat": np.array([1, 3, 64])},
        {"names": "{0: 'person', 1: 'dog', 2: 'car'}", "stride": "8", "end2end": "False", "args": "{'nms': None}"},
    )
