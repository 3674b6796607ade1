"""Temporaries: nobody else's name, and gone when their writer is."""

import os
import subprocess
import sys
import time

import pytest

from moviegen import temporary
from moviegen.contracts.lake import atomic_write
from moviegen.temporary import GRACE_S, is_temporary, may_be_in_use, remove_leftovers, temporary_beside


@pytest.fixture
def child():
    """A process that lives until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def of_process(monkeypatch, path, pid: int, host: str = ""):
    """A half-written file of a process, of this machine or another."""
    with monkeypatch.context() as patch:
        patch.setattr(temporary.os, "getpid", lambda: pid)
        if host:
            patch.setattr(temporary, "machine", lambda: host)
        made = temporary_beside(path)
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text("half")
    return made


def test_a_name_is_given_once_beside_the_final_place(tmp_path):
    names = {temporary_beside(tmp_path / "000000.tar") for _ in range(100)}
    assert len(names) == 100
    assert {name.parent for name in names} == {tmp_path}
    assert all(name.name.startswith(".000000.tar.") and is_temporary(name) for name in names)
    assert not is_temporary(tmp_path / "a.tmp")


@pytest.mark.parametrize("char", ["x", "é", "映", "🎬"])
def test_the_longest_name_that_a_disk_takes_still_has_one(tmp_path, char):
    path = tmp_path / (char * (255 // len(char.encode())))
    with atomic_write(path) as made:
        made.write_text("whole")
    assert path.read_text() == "whole"


def test_machines_with_the_same_process_id_do_not_meet(tmp_path, monkeypatch):
    """Two writers of one file on a shared folder: both end well, and the last to end is what lies there."""
    path = tmp_path / "part.parquet"
    with atomic_write(path) as first:
        monkeypatch.setattr(temporary, "machine", lambda: "0" * 8)
        with atomic_write(path) as second:
            assert first != second
            second.write_text("second")
        first.write_text("first")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert [each.name for each in tmp_path.iterdir()] == ["part.parquet"]


def test_a_file_is_in_use_while_its_process_lives(tmp_path, monkeypatch, child):
    made = of_process(monkeypatch, tmp_path / "a.tar", child.pid)
    assert may_be_in_use(made)
    child.kill()
    deadline = time.monotonic() + 10
    while may_be_in_use(made) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert child.returncode is None, "nobody has asked what became of it: a zombie writes nothing"
    assert not may_be_in_use(made)
    child.wait()
    assert not may_be_in_use(made)


def test_another_machines_process_cannot_be_asked_so_a_day_is_waited(tmp_path, monkeypatch):
    made = of_process(monkeypatch, tmp_path / "a.tar", 1, "0123abcd")
    assert may_be_in_use(made)
    assert may_be_in_use(made, time.time() + GRACE_S - 60)
    assert not may_be_in_use(made, time.time() + GRACE_S + 60)


def test_a_process_id_is_taken_again_so_a_day_is_enough(tmp_path):
    made = temporary_beside(tmp_path / "a.tar")
    made.write_text("half")
    assert may_be_in_use(made)
    os.utime(made, (0, 0))
    assert not may_be_in_use(made)


@pytest.mark.parametrize("name", [".part.parquet.123.tmp", ".tmp", ".a.99999999999-x.tmp", ".b.tmp"])
def test_what_an_earlier_version_left_is_nobodys(tmp_path, name):
    (tmp_path / name).write_text("half")
    assert remove_leftovers(tmp_path.iterdir()) == 1
