"""Pairs by name, never by order."""

import random

import pytest

from moviegen.errors import UsageError
from moviegen.evaluation.ab.pairing import pair_by_name


def fill(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def test_no_silent_mispair_in_two_hundred_files(tmp_path):
    """Shuffled creation, some missing on either side, some renamed, some doubled, suffixes mixed: every pair is of one name."""
    shuffle = random.Random(0)
    names = [f"{i:04d}_prompt" for i in range(200)]
    ours, theirs = (shuffle.sample(names, 200) for _ in range(2))
    ours = [f"{name}.mp4" for name in ours if int(name[:4]) % 17]
    theirs = [f"{name}.{'mkv' if int(name[:4]) % 2 else 'mp4'}" for name in theirs if int(name[:4]) % 13]
    theirs = [name.replace("0005_", "0005-renamed_") for name in theirs] + ["0008_prompt.mov"]
    pairs, skipped = pair_by_name(fill(tmp_path / "a", ours), fill(tmp_path / "b", theirs))
    assert all(pair.a.stem == pair.b.stem == pair.name for pair in pairs)
    lost = {name for name in names if not int(name[:4]) % 17 or not int(name[:4]) % 13}
    assert {pair.name for pair in pairs} == set(names) - lost - {"0005_prompt", "0008_prompt"}
    reasons = {row.name: row.reason for row in skipped}
    assert reasons["0017_prompt"] == "only in B"
    assert reasons["0013_prompt"] == "only in A"
    assert reasons["0005-renamed_prompt"] == "only in B"
    assert reasons["0008_prompt"].startswith("2 files have this name")
    assert len(pairs) + len(skipped) == len({name.rsplit(".")[0] for name in ours + theirs})


def test_subfolders_kinds_and_references(tmp_path):
    a = fill(tmp_path / "a", ["x/1.mp4", "x/2.mp4", "x/3.wav", ".4.mp4", "notes.txt"])
    b = fill(tmp_path / "b", ["x/1.mp4", "x/2.mp4", "x/3.mp4"])
    pairs, skipped = pair_by_name(a, b, fill(tmp_path / "r", ["x/1.mp4"]))
    assert [(pair.name, pair.kind, pair.reference.name) for pair in pairs] == [("x/1", "video", "1.mp4")]
    assert {row.name: row.reason for row in skipped} == {
        "x/2": f"0 files of this name in {tmp_path / 'r'}, wanted one",
        "x/3": "different kinds: sound and video",
    }


def test_refusals(tmp_path):
    a, b = fill(tmp_path / "a", ["1.mp4"]), fill(tmp_path / "b", ["2.mp4"])
    with pytest.raises(UsageError, match=r"no name is in both.*1: only in A"):
        pair_by_name(a, b)
    with pytest.raises(UsageError, match="no such folder"):
        pair_by_name(a, tmp_path / "c")
    with pytest.raises(UsageError, match="no media file"):
        pair_by_name(a, fill(tmp_path / "d", ["x.txt"]))
