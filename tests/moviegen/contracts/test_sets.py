import json
from dataclasses import replace

import pytest

from moviegen.contracts.sample import SampleMeta
from moviegen.contracts.sets import (
    EditMeta,
    PersonalMeta,
    Reference,
    decode_edit,
    decode_personal,
    decode_set_path,
    encode_edit,
    encode_personal,
    encode_set_path,
)

A, B = "a" * 32, "b" * 32
CLIP = SampleMeta(A, B, "personal", "16x9-f128", 0, 96, 1, 24, 96, 24, 1, 320, 180, 4.0, False, "source")
PLACES = tuple(Reference(A, pts, (1.5, 2.0, 30.0, 40.0)) for pts in (10, 50))
PERSONAL = PersonalMeta("c" * 32, CLIP, "paired", PLACES, "model", "grabcut", 0.8)
EDIT = EditMeta("d" * 32, A, B, "edits", "segment", "the dog", 16, 24, 1, 320, 180, "a dog runs")


def test_personal_there_and_back():
    members = encode_personal(PERSONAL, "a man", b"mp4", (b"one", b"two"))
    assert list(members) == sorted(members) == ["json", "mp4", "ref0.jpg", "ref1.jpg", "txt"]
    assert decode_personal(members) == (PERSONAL, "a man", b"mp4", (b"one", b"two"))


def test_edit_there_and_back():
    members = encode_edit(EDIT, "Mark the dog in blue.", b"in", b"out")
    assert list(members) == sorted(members)
    assert decode_edit(members) == (EDIT, "Mark the dog in blue.", b"in", b"out")


def test_path_there_and_back():
    for kind in ("personal", "edits"):
        assert decode_set_path(encode_set_path(kind, "sft_1", "0" * 16)) == (kind, "sft_1", "0" * 16)
    for path in ("sets/kind=other/subset=s/0123456789abcdef.tar", "sets/kind=edits/subset=s/x.tar", "../a.tar"):
        with pytest.raises(ValueError, match="no path of a set"):
            decode_set_path(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "../x"}, "not 32 hex digits"),
        ({"pairing": "both"}, "'both' is not one of paired, cross"),
        ({"references": ()}, "0 references, wanted 1..10"),
        ({"references": (replace(PLACES[0], clip_id=B),)}, "paired, but its references are from others"),
        ({"pairing": "cross"}, "cross, but its references are from it"),
    ],
)
def test_personal_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        replace(PERSONAL, **change)


def test_a_box_is_four_finite_numbers():
    with pytest.raises(ValueError, match="wanted four numbers"):
        Reference(A, 0, (1.0, 2.0, float("nan"), 3.0))


def test_an_unknown_task_is_refused():
    with pytest.raises(ValueError, match="'paint' is not one of animate, segment, backtranslate"):
        replace(EDIT, task="paint")


@pytest.mark.parametrize("change", [{"ref1.jpg": None}, {"ref2.jpg": b"x"}, {"mp4": None}])
def test_members_are_those_the_json_says(change):
    members = encode_personal(PERSONAL, "a man", b"mp4", (b"one", b"two")) | change
    with pytest.raises(ValueError, match="wanted"):
        decode_personal({name: content for name, content in members.items() if content is not None})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2, this version reads 1"),
        ({"mask": 1}, "unknown fields .'mask'"),
        ({"fps_num": None}, "missing 1 required"),
    ],
)
def test_other_json_is_refused(change, message):
    members = encode_edit(EDIT, "x", b"in", b"out")
    values = json.loads(members["json"]) | change
    if change == {"fps_num": None}:
        del values["fps_num"]
    with pytest.raises(ValueError, match=message):
        decode_edit(members | {"json": json.dumps(values).encode()})


def test_json_that_is_none():
    for content in (b"[1]", b"{", b"\xff"):
        with pytest.raises(ValueError, match=r"set sample \.json"):
            decode_edit({"json": content})
