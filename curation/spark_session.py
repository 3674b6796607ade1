"""The Spark session: how it begins quickly on a small machine, and how it ends when a signal cuts it short."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from moviegen.disk import writing_below
from moviegen.errors import UsageError

from .gpus import gpu_settings
from .java import find_java
from .shipping import FOLDER, pack_code
from .spark_config import SparkConfig

if TYPE_CHECKING:
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
    except (
        BaseException
    ):  # a signal, after which pyspark forgets the JVM that it has just begun, and that one waits for ever
        _kill_starting()
        raise


def _kill_starting() -> None:
    """Ends the JVM that this process has begun."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "org.apache.spark" in (words := " ".join(child.cmdline())) or "spark-submit" in words:
                child.kill()
                child.wait()


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


@contextlib.contextmanager
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


def kill_jvm(session: "SparkSession") -> None:
    """Ends the session's JVM at once, without the complaints of those who talk to it; its Python workers end with it."""
    context = session.sparkContext
    context._accumulatorServer.handle_error = lambda *_: None
    logging.disable(logging.CRITICAL)
    process = getattr(context._gateway, "proc", None)
    if process is not None:
        process.kill()
        process.wait()
