"""What killed writers leave: gone when their process is dead, left alone while it may live; by everybody who removes leftovers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from curation.gc import GcConfig, collect_garbage
from curation.jobs.parts import sweep_temporaries
from curation.remote import make_room
from moviegen.contracts.lake import Lake
from moviegen.temporary import machine

ELSEWHERE = "0123abcd"
"""Another machine that shares the folder."""


def half_written(folder: Path, number: int, host: str, pid: int, is_old: bool = False) -> Path:
    path = folder / f".{number}.parquet.{host}-{pid}-00000000.tmp"
    path.write_text("half")
    if is_old:
        os.utime(path, (0, 0))
    return path


@pytest.fixture(scope="module")
def dead_pid():
    """Of a process that was, and was waited for."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    "remove",
    [
        lambda root: sweep_temporaries(Lake(root)),
        lambda root: collect_garbage(GcConfig(root, older_than="0s")),
        lambda root: make_room(root / "videos", 0),
    ],
    ids=["a run that goes on", "gc without an age", "the cache of fetched videos"],
)
def test_what_goes_and_what_stays(tmp_path, dead_pid, remove):
    folder = tmp_path / "videos"
    folder.mkdir()
    (tmp_path / "_commits").mkdir()
    half_written(folder, 1, machine(), dead_pid)
    half_written(folder, 2, ELSEWHERE, 1, is_old=True)
    half_written(folder, 3, machine(), os.getpid(), is_old=True)  # a process of the same id, long after
    stay = {half_written(folder, 4, machine(), os.getpid()), half_written(folder, 5, ELSEWHERE, 1)}
    remove(tmp_path)
    assert set(folder.iterdir()) == stay
