"""Values over the wire: there and back unchanged; nonsense and foreign classes refused."""

import json
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from moviegen.contracts.clip import Shot
from moviegen.media.limits import MediaLimits
from moviegen.media.wire import decode_message, encode_message, message_size

plain = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
    | st.fractions() | st.builds(Path, st.text("abc/.", min_size=1))
)  # fmt: skip
keys = st.text().filter(lambda key: key != "$")
values = st.recursive(
    plain, lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(keys, inner), max_leaves=8
)


def round_trip(value: Any) -> Any:
    message = b"".join(bytes(piece) for piece in encode_message(value))
    assert message_size(message) == len(message)
    return decode_message(message, {"moviegen"})


@given(values)
def test_there_and_back(value: Any) -> None:
    back = round_trip(value)
    assert back == value
    assert type(back) is type(value)


@given(
    arrays(
        st.sampled_from([np.uint8, np.float32, np.int64, np.bool_]), array_shapes(min_dims=0, max_dims=4, min_side=0)
    )
)
def test_arrays_there_and_back(array: np.ndarray) -> None:
    back = round_trip({"a": [array, array.T]})["a"]
    assert np.array_equal(back[0], array, equal_nan=array.dtype.kind == "f")
    assert np.array_equal(back[1], array.T, equal_nan=array.dtype.kind == "f")
    assert (back[0].dtype, back[0].shape) == (array.dtype, array.shape)
    back[0][...] = 0  # a copy of its own, that may be written


@given(st.integers(0, 40), st.sampled_from([np.uint8, np.float32, np.complex128]))
def test_an_array_that_is_most_of_a_message_stays_where_it_arrived(num_odd: int, dtype: type) -> None:
    frames = np.arange(10_000).astype(dtype)
    pieces = encode_message({"odd": bytes(num_odd), "few": np.arange(3, dtype=dtype), "frames": frames})
    message = np.frombuffer(b"".join(map(bytes, pieces)), np.uint8).copy()
    back = decode_message(memoryview(message), {"moviegen"})
    assert np.array_equal(back["frames"], frames)
    assert np.shares_memory(back["frames"], message)
    assert not np.shares_memory(back["few"], message)
    assert all(back[name].flags.aligned and back[name].flags.writeable for name in ("few", "frames"))


def test_records_there_and_back() -> None:
    shot = Shot("v", 0, 0, 10, 0, 10, "cut", 0, None)
    limits = MediaLimits(max_frames=7, formats=("mov",))
    assert round_trip([shot, (limits,)]) == [shot, (limits,)]


def test_numpy_numbers_become_plain() -> None:
    assert round_trip([np.float32(0.5), np.int64(3), np.float64(2.5), np.bool_(True)]) == [0.5, 3, 2.5, True]


@dataclass(frozen=True)
class Foreign:
    """A record of a module outside the packages allowed."""

    x: int


def test_what_cannot_be_sent() -> None:
    for value in (object(), {1: 2}, {"$": 1}, np.array([object()]), {3}, lambda: None):
        with pytest.raises(TypeError, match="cannot be sent"):
            encode_message(value)


def test_a_reply_cannot_name_any_class_it_likes() -> None:
    for module, name in (("subprocess", "Popen"), (__name__, "Foreign"), ("moviegen.media.wire", "encode_message")):
        header = json.dumps({"value": {"$": ["record", module, name, {}]}, "sizes": []}).encode()
        with pytest.raises(ValueError, match=f"{module}.{name}"):
            decode_message(struct.pack("<Q", len(header)) + header, {"moviegen"})
    not_a_record = {"value": {"$": ["record", "moviegen.errors", "UsageError", {}]}, "sizes": []}
    header = json.dumps(not_a_record).encode()
    with pytest.raises(ValueError, match="no dataclass"):
        decode_message(struct.pack("<Q", len(header)) + header, {"moviegen"})


def test_nonsense_is_told() -> None:
    assert message_size(b"1234") is None
    with pytest.raises(ValueError, match="a header of"):
        message_size(b"\xff" * 8)
    header = json.dumps({"value": 1, "sizes": [-5]}).encode()
    with pytest.raises(ValueError, match="buffer sizes"):
        message_size(struct.pack("<Q", len(header)) + header)
    header = json.dumps({"value": {"$": ["array", 0, "O", [1]]}, "sizes": [8]}).encode()
    with pytest.raises(ValueError, match="array of object"):
        decode_message(struct.pack("<Q", len(header)) + header + bytes(8), {"moviegen"})
    header = json.dumps({"value": {"$": ["lambda", 0]}, "sizes": []}).encode()
    with pytest.raises(ValueError, match="kind 'lambda'"):
        decode_message(struct.pack("<Q", len(header)) + header, {"moviegen"})


def test_fractions_stay_exact() -> None:
    assert round_trip(Fraction(30000, 1001)) == Fraction(30000, 1001)
