"""Checkpoint folders: whole or not at all; the newest whole one is found."""

import errno
import json
import os
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moviegen.contracts.clip import file_sha256
from moviegen.errors import DiskError
from training import checkpoint as module
from training.callbacks.checkpoints import superfluous
from training.checkpoint import (
    LATEST_FILE,
    STATE_FILE,
    SUMS_FILE,
    CheckpointError,
    checkpoint_name,
    checkpoints,
    load_state,
    newest_checkpoint,
    num_bytes,
    parse_checkpoint_name,
    remove_temporaries,
    restore_replaced,
    set_damaged_aside,
)
from training.checkpoint_io import FolderCheckpointIO

STATE = {"weights": torch.arange(1000.0), "step": 3, "names": ["a"]}


@given(st.integers(0, 99_999_999))
def test_names_round_trip(step):
    assert parse_checkpoint_name(checkpoint_name(step)) == step


@pytest.fixture
def saved(tmp_path):
    for step in (1, 2, 3):
        FolderCheckpointIO().save_checkpoint(STATE, tmp_path / checkpoint_name(step))
    return tmp_path


def test_state_round_trip(saved):
    state = load_state(saved / checkpoint_name(3))
    assert torch.equal(state["weights"], STATE["weights"])
    assert (state["step"], state["names"]) == (3, ["a"])
    assert sorted(os.listdir(saved)) == [LATEST_FILE, *map(checkpoint_name, (1, 2, 3))], "nothing temporary stays"
    assert (saved / LATEST_FILE).read_text() == f"{checkpoint_name(3)}\n"
    assert json.loads((saved / checkpoint_name(3) / SUMS_FILE).read_text()) == {
        STATE_FILE: file_sha256(saved / checkpoint_name(3) / STATE_FILE)
    }, "summed while it was written"


def damage(path, kind):
    state = path / STATE_FILE
    content = bytearray(state.read_bytes())
    if kind == "flip":
        content[100] ^= 1
    if kind == "cut":
        del content[len(content) // 2 :]
    if kind == "zero":
        content[:] = bytes(len(content))
    state.write_bytes(content)
    if kind == "no state":
        state.unlink()
    if kind == "no sums":
        (path / SUMS_FILE).unlink()
    if kind == "odd sums":
        (path / SUMS_FILE).write_text("[]")
    if kind == "empty sums":
        (path / SUMS_FILE).write_text("{}")


@pytest.mark.parametrize("kind", ["flip", "cut", "zero", "no state", "no sums", "odd sums", "empty sums"])
def test_a_damaged_checkpoint_is_passed_over(saved, kind):
    damage(saved / checkpoint_name(3), kind)
    path, faults = newest_checkpoint(saved)
    assert path == saved / checkpoint_name(2)
    assert len(faults) == 1
    assert checkpoint_name(3) in faults[0]
    with pytest.raises(CheckpointError):
        load_state(saved / checkpoint_name(3))


def test_nothing_whole_is_nothing(tmp_path):
    assert newest_checkpoint(tmp_path / "none") == (None, [])
    (tmp_path / checkpoint_name(1)).mkdir()
    path, faults = newest_checkpoint(tmp_path)
    assert (path, len(faults)) == (None, 1)


def test_code_in_a_checkpoint_is_not_run(saved, tmp_path):
    class Payload:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "canary"),))

    path = saved / checkpoint_name(3)
    torch.save({"weights": Payload()}, path / STATE_FILE)
    (path / SUMS_FILE).write_text(json.dumps({STATE_FILE: module.file_sha256(path / STATE_FILE)}))
    with pytest.raises(Exception, match=r"[Ww]eights_only|Unsupported"):
        load_state(path)
    assert not (tmp_path / "canary").exists()


def test_a_failed_write_leaves_what_was_there(saved, monkeypatch):
    def broken(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    for step in (3, 4):
        with pytest.raises(DiskError, match="Input/output error"):
            FolderCheckpointIO().save_checkpoint(STATE, saved / checkpoint_name(step))
    assert [path.name for path in checkpoints(saved)] == [checkpoint_name(step) for step in (1, 2, 3)]
    assert newest_checkpoint(saved) == (saved / checkpoint_name(3), [])
    assert not list(saved.glob(".*"))


@contextmanager
def files_at_most(num_bytes):
    """A disk that takes so many bytes a file. Python ignores the signal that would come with the error."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


@pytest.mark.parametrize("room", [0, 1, 63, 64, 2000, 100_000, 399_999, 400_500])
def test_a_full_disk_is_said_and_nothing_is_lost(saved, room):
    path = saved / checkpoint_name(4)
    state = {"weights": torch.arange(100_000.0), "step": 4}
    with files_at_most(room), pytest.raises(DiskError) as error:
        FolderCheckpointIO().save_checkpoint(state, path)
    assert f"{path}: cannot be written: File too large; it needs about 0.4 MB, " in str(error.value)
    assert "is free in" in str(error.value)
    assert newest_checkpoint(saved) == (saved / checkpoint_name(3), [])
    assert sorted(os.listdir(saved)) == [LATEST_FILE, *map(checkpoint_name, (1, 2, 3))]
    FolderCheckpointIO().save_checkpoint(state, path)
    assert torch.equal(load_state(path)["weights"], state["weights"])


def test_what_a_checkpoint_needs_is_known_before():
    assert num_bytes({"a": [torch.zeros(3, 5), {"b": torch.zeros(2, dtype=torch.int64)}], "c": 7, "d": None}) == 76


def test_a_latest_that_is_gone_is_told(saved):
    shutil.rmtree(saved / checkpoint_name(3))
    path, faults = newest_checkpoint(saved)
    assert path == saved / checkpoint_name(2)
    assert faults == [f"{saved / LATEST_FILE}: names {checkpoint_name(3)}, which is gone"]


def test_a_latest_that_is_older_is_no_fault(saved):
    """As after a kill between the last rename and it."""
    (saved / LATEST_FILE).write_text(f"{checkpoint_name(2)}\n")
    assert newest_checkpoint(saved) == (saved / checkpoint_name(3), [])


def test_damaged_ones_are_kept_under_another_name(saved):
    for step in (2, 3):
        damage(saved / checkpoint_name(step), "flip")
    newest, _ = newest_checkpoint(saved)
    places = set_damaged_aside(saved, newest)
    assert [place.name for place in places] == [f"{checkpoint_name(step)}.damaged" for step in (2, 3)]
    assert checkpoints(saved) == [saved / checkpoint_name(1)]
    FolderCheckpointIO().save_checkpoint(STATE, saved / checkpoint_name(2))
    damage(saved / checkpoint_name(2), "cut")
    assert set_damaged_aside(saved, newest) == places[:1], "a second one of the same step takes its place"


def test_temporaries_of_killed_runs_are_cleared(saved):
    (saved / ".step-00000004.ckpt.77.tmp").mkdir()
    (saved / ".latest.77.tmp").write_text("x")
    remove_temporaries(saved)
    assert sorted(os.listdir(saved)) == [LATEST_FILE, *map(checkpoint_name, (1, 2, 3))]


@given(
    st.lists(st.integers(1, 60), unique=True, min_size=1).map(sorted),
    st.integers(1, 4),
    st.sampled_from([None, 5, 7]),
    st.data(),
)
def test_the_newest_and_the_permanent_stay(steps, keep, every, data):
    newest = data.draw(st.sampled_from(steps))
    paths = [Path(checkpoint_name(step)) for step in steps]
    gone = {parse_checkpoint_name(path.name) for path in superfluous(paths, Path(checkpoint_name(newest)), keep, every)}
    until = [step for step in steps if step <= newest]
    assert set(until[-keep:]).isdisjoint(gone)
    assert all(step in gone or (every is not None and step % every == 0) for step in until[:-keep])
    assert gone.isdisjoint(step for step in steps if step > newest)
    assert every is None or all(step % every for step in gone)


def test_a_half_deleted_checkpoint_is_a_temporary_of_the_next_run(saved, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "rmtree", lambda *a, **k: None)
        FolderCheckpointIO().remove_checkpoint(saved / checkpoint_name(3))
    assert newest_checkpoint(saved)[0] == saved / checkpoint_name(2)
    assert len(list(saved.glob(".*.tmp"))) == 1
    assert restore_replaced(saved) == []
    remove_temporaries(saved)
    assert not list(saved.glob(".*.tmp"))
