"""Spark: a session that starts quickly on a small machine, and a runner of tasks.

With `cluster`, `gpus` and `jobs` the only place that imports pyspark. The session starts at the first task: a run with nothing to do needs
none.
"""

import functools
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.disk import writing_below
from moviegen.errors import DiskError, MovieGenError, StorageError, UsageError

from .gpus import gpu_profile, gpu_settings, wants_gpu
from .java import find_java
from .jobs.parts import decode_task
from .shipping import FOLDER, pack_code
from .spark_config import SparkConfig
from .spark_tasks import accepted, run_batches, run_on_gpu

if TYPE_CHECKING:
    from pyspark.resource import ResourceProfile
    from pyspark.sql import SparkSession

JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Halves the CPU time of a session's start; our work is done in Python, not in the JVM."""


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
        "spark.python.worker.idleTimeoutSeconds": str(round(config.hung_after_s)),
        "spark.python.worker.killOnIdleTimeout": "true",
    }
    if config.event_log:
        settings |= _event_log(log.parent / EVENTS)
    if config.is_local or "//127.0.0.1:" in config.master:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    if not config.is_local:
        with writing_below(log.parent):
            settings |= _cluster_settings(pack_code(log.parent)) | gpu_settings(config.gpus_per_task)

    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(config.master).appName("moviegen curate")
    for name, value in (settings | (config.options or {})).items():
        builder = builder.config(name, value)
    try:
        with _stderr_to(log):
            return builder.getOrCreate()
    except Exception as error:
        raise _not_started(config, log, error) from error


EVENTS = "spark-events"
"""Folder of the event logs, beside Spark's log."""


def _event_log(folder: Path) -> dict[str, str]:
    with writing_below(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": folder.resolve().as_uri(),
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "true",
    }


def _cluster_settings(code: Path) -> dict[str, str]:
    """Executors unpack the driver's own code and see it before any that is installed there."""
    return {
        "spark.archives": f"{code}#{FOLDER}",
        "spark.executorEnv.PYTHONPATH": FOLDER,
        "spark.executor.extraJavaOptions": JAVA_OPTIONS,
    }


def _not_started(config: SparkConfig, log: Path, error: Exception) -> Exception:
    """What to say when there is no session: on a cluster most often nobody answers at the master's address."""
    if config.is_local or not type(error).__module__.startswith(("pyspark", "py4j")):
        return error
    return UsageError(
        f"no Spark session on {config.master}: {str(error).splitlines()[0]}; is the master up, and reachable from here? "
        f"Spark's log: {log}"
    )


@contextmanager
def _stderr_to(log: Path) -> Iterator[None]:
    """Processes started inside inherit `log` as their stderr."""
    with writing_below(log.parent):
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
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

    def __exit__(self, kind: type | None, *rest: object) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        if kind is not None and not issubclass(kind, Exception):
            # a signal has cut a conversation with the JVM short: it cannot be asked to stop any more
            _kill_jvm(session)
        else:
            session.stop()

    @property
    def session(self) -> "SparkSession":
        """The session, started when first asked for."""
        if self._session is None:
            self._session = start_session(self.config, self.log)
        return self._session

    @property
    def is_started(self) -> bool:
        """Whether a session runs."""
        return self._session is not None

    @property
    def wave_size(self) -> int:
        """Tasks between two commits: a few a core."""
        return self.session.sparkContext.defaultParallelism * self.config.tasks_per_core

    waves_ahead = 1

    def begin(self, texts: Sequence[str], label: str) -> Callable[[], list[str]]:
        """Begins a wave: Spark gives its tasks the cores that the waves before it leave. Waiting for it raises JobError when Spark gives
        a task up."""
        wait = _in_thread(functools.partial(self._collect, self.session, list(texts), label))

        def results() -> list[str]:
            try:
                return accepted([row.result for row in wait()])
            except Exception as error:
                raise _explained(error, label, self.log) from error

        return results

    def _collect(self, session: "SparkSession", texts: list[str], label: str) -> list:
        session.sparkContext.setJobDescription(label)
        for_gpu = [text for text in texts if self.config.gpus_per_task and wants_gpu(decode_task(text))]
        others = [text for text in texts if text not in set(for_gpu)]
        rows = _map_tasks(session, others, run_batches, None) if others else []
        if for_gpu:
            rows += _map_tasks(session, for_gpu, run_on_gpu, gpu_profile(self.config.gpus_per_task))
        return rows


def _map_tasks(session: "SparkSession", texts: list[str], run: Callable, profile: "ResourceProfile | None") -> list:
    """The result rows of tasks, one a partition, in a stage with that profile."""
    tasks = session.range(0, len(texts), 1, numPartitions=len(texts))
    return tasks.mapInArrow(functools.partial(run, texts), "result string", profile=profile).collect()


def _in_thread(call: Callable[[], list]) -> Callable[[], list]:
    """Starts a call in a thread; what comes back waits for it. A signal ends the wait at once, in the midst of a conversation with the
    JVM."""
    outcome: dict = {}

    def work() -> None:
        try:
            outcome["value"] = call()
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=work, name="spark", daemon=True)
    thread.start()

    def wait() -> list:
        thread.join()
        if "error" in outcome:
            raise outcome["error"]
        return outcome["value"]

    return wait


def _kill_jvm(session: "SparkSession") -> None:
    """Ends the session's JVM at once, without the complaints of those who talk to it; its Python workers end with it."""
    context = session.sparkContext
    context._accumulatorServer.handle_error = lambda *_: None
    logging.disable(logging.CRITICAL)
    process = getattr(context._gateway, "proc", None)
    if process is not None:
        process.kill()
        process.wait()


class JobError(MovieGenError):
    """Spark gave a task up: not one bad input, which is a row of `failures`, but the work itself."""


def _explained(error: Exception, label: str, log: Path) -> Exception:
    """The error of ours that a task raised, as itself; anything else from Spark as a JobError with the Python error's last line."""
    if not type(error).__module__.startswith(("pyspark", "py4j")):
        return error
    lines = [line.strip() for line in str(error).splitlines()]
    raised = [
        line
        for line in lines
        if re.match(r"^[\w.]*(?:Error|Exception|Interrupt)\b.*: ", line) and "org.apache" not in line
    ]
    last = raised[-1] if raised else (lines[0] if lines else repr(error))
    if match := re.match(r"(?:[\w.]*\.)?(UsageError|DiskError|StorageError): (.*)", last):
        return {"UsageError": UsageError, "DiskError": DiskError, "StorageError": StorageError}[match[1]](match[2])
    return JobError(
        f"{label}: Spark gave a task up after four tries: {last}\n"
        f"Spark's log: {log}; what is committed stays, and the same command goes on from there"
    )
