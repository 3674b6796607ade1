"""Checkpoint folders: whole or not at all; the newest whole one is found."""

import json
import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training import checkpoint as module
from training.checkpoint import (
    STATE_FILE,
    SUMS_FILE,
    CheckpointError,
    FolderCheckpointIO,
    checkpoint_name,
    checkpoints,
    load_state,
    newest_checkpoint,
    parse_checkpoint_name,
)

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
    assert sorted(os.listdir(saved)) == [checkpoint_name(step) for step in (1, 2, 3)], "nothing temporary stays"


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
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    for step in (3, 4):
        with pytest.raises(OSError, match="No space left"):
            FolderCheckpointIO().save_checkpoint(STATE, saved / checkpoint_name(step))
    assert [path.name for path in checkpoints(saved)] == [checkpoint_name(step) for step in (1, 2, 3)]
    assert newest_checkpoint(saved)[0] == saved / checkpoint_name(3)


def test_a_half_deleted_checkpoint_counts_as_broken(saved, monkeypatch):
    monkeypatch.setattr(module.shutil, "rmtree", lambda *a, **k: None)
    FolderCheckpointIO().remove_checkpoint(saved / checkpoint_name(3))
    assert newest_checkpoint(saved)[0] == saved / checkpoint_name(2)
