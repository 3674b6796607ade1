"""Spark: a runner of tasks.

With `spark_session`, `cluster`, `gpus` and `jobs` the only place that imports pyspark. The session starts at the first task: a run with
nothing to do needs none.
"""

import functools
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.errors import DiskError, MovieGenError, StorageError, UsageError

from .gpus import gpu_profile, wants_gpu
from .jobs.parts import decode_task
from .spark_config import SparkConfig
from .spark_session import kill_jvm, start_session
from .spark_tasks import accepted, run_batches, run_on_gpu

if TYPE_CHECKING:
    from pyspark.resource import ResourceProfile
    from pyspark.sql import SparkSession


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
            kill_jvm(session)
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
