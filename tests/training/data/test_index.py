"""Indices of tars: made once, kept by SHA-256, believed only for files that were hashed and not written to since."""

import os
import shutil
import time

import numpy as np
import pytest

from moviegen.contracts.shard import ShardError, read_members
from moviegen.testing.lake import write_toy_lake
from training.data import index as index_module
from training.data import shards as shards_module
from training.data.index import SETTLED_S, TarIndex, build_index, cache_folder, file_mark, known_index
from training.data.shards import ShardReader, member_places, read_subset


@pytest.fixture(scope="module")
def small_lake(tmp_path_factory):
    """Six samples in three tars."""
    root = tmp_path_factory.mktemp("small") / "lake"
    write_toy_lake(root, 4, 6, max_samples=2, width=32, height=32, fps=4, duration=2.0)
    return root


@pytest.fixture
def lake(small_lake, tmp_path, monkeypatch):
    """A settled copy and an empty cache."""
    monkeypatch.setenv("MOVIEGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(index_module, "SETTLED_S", -1.0)
    return shutil.copytree(small_lake, tmp_path / "lake")


@pytest.fixture
def hashed(monkeypatch):
    """Names of the tars that are hashed."""
    names, original = [], shards_module.committed_tar

    def counted(shard, where):
        names.append(shard.path)
        return original(shard, where)

    monkeypatch.setattr(shards_module, "committed_tar", counted)
    return names


def read_all(root):
    subset = read_subset(root, "toy")
    reader = ShardReader(subset)
    return {ref.key: reader.read(ref) for ref in subset.samples}


def test_an_index_has_every_member(lake):
    for shard in read_subset(lake, "toy").shards:
        path = lake / shard.path
        places, members = member_places(path), dict(read_members(path))
        index = build_index(path, (m for group in places.values() for m in group.values()))
        assert index.keys == set(places)
        for key, group in places.items():
            found = {suffix: (offset, size) for suffix, offset, size, _ in index.find(key)}
            assert found == {m.suffix: (m.offset, m.size) for m in group.values()}
        again = TarIndex(np.frombuffer(index.rows.tobytes(), index.rows.dtype), index.suffixes)
        assert all(again.find(key) == index.find(key) for key in members)
        assert index.find("0" * 32) == []


def test_keys_that_begin_alike_are_told_apart():
    rows = np.array([((1, 2), 0, 0, 1, 7), ((1, 3), 0, 512, 1, 8), ((2, 0), 0, 1024, 1, 9)], dtype=index_module._ROW)
    index = TarIndex(rows, ["txt"])
    keys = [f"{high:016x}{low:016x}" for high, low in ((1, 2), (1, 3), (2, 0))]
    assert [index.find(key)[0][3] for key in keys] == [7, 8, 9]
    assert index.keys == set(keys)


def test_a_tar_is_hashed_once_a_machine(lake, hashed):
    first = read_all(lake)
    assert len(hashed) == 3
    assert read_all(lake) == first
    assert len(hashed) == 3


def test_a_copy_is_hashed_too_and_both_are_remembered(lake, hashed, tmp_path):
    read_all(lake)
    copy = shutil.copytree(lake, tmp_path / "copy")
    for root in (copy, lake, copy):
        read_all(root)
    assert len(hashed) == 6


@pytest.mark.parametrize("hidden", [False, True])
def test_a_byte_changed_between_two_runs_is_found(lake, hidden):
    read_all(lake)
    path = sorted(lake.glob("shards/*/*/*.tar"))[1]
    before = path.stat()
    flip(path, path.stat().st_size // 3)
    if hidden:  # even when the time of the change is put back
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ShardError, match="sha256 differs"):
        read_all(lake)


def test_a_byte_changed_while_a_tar_is_in_use_is_found(lake):
    subset = read_subset(lake, "toy")
    reader, ref = ShardReader(subset), subset.samples[0]
    reader.read(ref)
    path, before = lake / ref.shard, (lake / ref.shard).stat()
    [place] = [m for m in member_places(path)[ref.key].values() if m.suffix == "mp4"]
    flip(path, place.offset + place.size // 2)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ShardError, match=r"\.mp4: its bytes are not those committed \(CRC differs\)"):
        reader.read(ref)


def test_a_file_that_could_still_be_written_to_unseen_is_not_believed(lake, hashed, monkeypatch):
    monkeypatch.setattr(index_module, "SETTLED_S", SETTLED_S)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    for path in lake.glob("shards/*/*/*.tar"):
        os.utime(path, (now, now))
    read_all(lake)
    read_all(lake)
    assert len(hashed) == 6


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\0" * 100])
def test_a_damaged_index_is_made_again(lake, hashed, damage):
    wanted = read_all(lake)
    for path in cache_folder().rglob("*.idx"):
        content = path.read_bytes()
        path.write_bytes(damage or content[:-1] + bytes([content[-1] ^ 1]))
    assert read_all(lake) == wanted
    assert len(hashed) == 6


def test_a_cache_that_cannot_be_written_is_said_once(lake, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(index_module, "_SAID", [])
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MOVIEGEN_CACHE", str(tmp_path / "file"))
    assert len(read_all(lake)) == 6
    assert capsys.readouterr().err.count("cannot be written") == 1


def test_an_index_of_another_tar_is_not_found(lake):
    read_all(lake)
    one, two = read_subset(lake, "toy").shards[:2]
    assert known_index(one.sha256, file_mark(lake / one.path)) is not None
    assert known_index(one.sha256, file_mark(lake / two.path)) is None


def flip(path, place):
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 1]))
