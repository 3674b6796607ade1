"""Payloads: safetensors files read in place, and nothing believed of a header that is not so."""

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load

from training.data.payload import encode_payload, payload_layout

DTYPES = [
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float64,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
]
shapes = st.lists(st.integers(0, 4), max_size=4)
payloads = st.dictionaries(
    st.text("abc.0", min_size=1, max_size=6), st.tuples(shapes, st.sampled_from(DTYPES)), max_size=4
)


def made(rows):
    return {name: torch.randint(0, 2, shape).to(dtype) for name, (shape, dtype) in rows.items()}


def decoded(content):
    """The tensors that a payload's layout names."""
    return {
        name: torch.frombuffer(bytearray(content[place.begin :][: place.size]) or bytearray(8), dtype=place.dtype)
        [: math.prod(place.shape)].view(place.shape)
        for name, place in payload_layout(content).items()
    }  # fmt: skip


@given(payloads, st.integers(0, 3))
def test_what_is_written_is_read_by_us_and_by_safetensors(rows, shift):
    tensors = made(rows)
    content = encode_payload(tensors, {"caption": "a ball"})
    theirs, ours = load(content), decoded(memoryview(bytearray(shift) + bytearray(content))[shift:])
    assert set(ours) == set(theirs) == set(tensors)
    for name, tensor in tensors.items():
        assert ours[name].dtype == tensor.dtype
        assert torch.equal(ours[name], tensor)
        assert torch.equal(theirs[name], tensor)


@pytest.mark.parametrize(
    "row",
    [
        {"dtype": "F32", "shape": [4], "data_offsets": [0, 20]},
        {"dtype": "F32", "shape": [4], "data_offsets": [8, 24]},
        {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 16]},
        {"dtype": "X", "shape": [4], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [4], "data_offsets": [0]},
        {"dtype": "F32", "shape": "4", "data_offsets": [0, 16]},
        [],
    ],
)
def test_a_header_that_lies_is_refused(row):
    header = json.dumps({"x": row}).encode()
    content = bytearray(len(header).to_bytes(8, "little") + header + bytes(16))
    with pytest.raises(ValueError, match="no safetensors payload"):
        payload_layout(memoryview(content))


@pytest.mark.parametrize(
    "content", [b"", b"\1", b"\xff" * 8 + b"{}", b"\2" + bytes(7) + b"[]", b"\x80\4pickle" + bytes(40)]
)
def test_what_is_no_payload_is_refused(content):
    with pytest.raises(ValueError, match="no safetensors payload"):
        payload_layout(memoryview(bytearray(content)))
