"""A task that is one moviegen command, typed without a shell; what the DAGs of this folder are made of.

Airflow lives in an environment of its own; MOVIEGEN_BIN says where the `moviegen` command is (default: the PATH). With MOVIEGEN_SPARK_CONN,
the id of a Spark connection, the jobs of `moviegen curate` go through Airflow's SparkSubmitOperator instead.
"""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from datetime import timedelta

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException
from moviegen_links import ReportLink

RETRIES = {
    "retries": int(os.environ.get("MOVIEGEN_RETRIES", "2")),
    "retry_delay": timedelta(seconds=float(os.environ.get("MOVIEGEN_RETRY_DELAY_S", "30"))),
}
"""A command that was killed goes on from what is committed."""

LAKE_POOL = "moviegen_lake"
"""Pool of one slot: a lake has one writer."""

FINAL = {2: "usage", 3: "too many failed inputs", 4: "a check failed"}
"""Exit codes that the same command would end with again."""

STOP_S = 40.0
"""A command that is told to end has so long to save what it has; Airflow waits 60 s (`core.killed_task_cleanup_time`)."""

PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def fill(words: Sequence[str], values: Mapping[str, object]) -> list[str]:
    """The words with each `{name}` put in place: a list becomes several words, None none. Raises KeyError on a name without a value."""
    out: list[str] = []
    for word in words:
        value = values[word[1:-1]] if word.startswith("{") and word.endswith("}") else word
        out += map(str, value) if isinstance(value, list | tuple) else [] if value is None else [str(value)]
    return out


def _end_with_parent() -> None:
    """Runs in the child: a task that is killed so hard that nothing can be tidied up takes its command, and its lock, with it."""
    import ctypes

    ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)


class Moviegen(BaseOperator):
    """`words` with the `{names}` of `given` and `each` filled in; with several `given`, one command after another."""

    template_fields: Sequence[str] = ("words", "given", "each")

    def __init__(
        self, *, words: Sequence[str], given=None, each=None, answers: bool = False, needs: str = "", **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.words, self.given, self.each, self.answers, self.needs = list(words), given, each, answers, needs
        self._process: subprocess.Popen | None = None

    def execute(self, context):
        """Runs the command; with `answers`, what it prints as JSON is the task's result; `needs` says why an empty one fails."""
        several = self.given if isinstance(self.given, list) else [self.given]
        texts = [self._run(fill(self.words, {**(given or {}), **(self.each or {})})) for given in several]
        answer = json.loads(texts[-1]) if self.answers else None
        if self.needs and not answer:
            raise AirflowFailException(f"{' '.join(self.words[:2])}: nothing to do: {self.needs}")
        return answer

    def _run(self, words: list[str]) -> str:
        command = [os.environ.get("MOVIEGEN_BIN", "moviegen"), *words]
        print("$", *command, flush=True)
        said = None if self.answers else subprocess.STDOUT
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=said, text=True, preexec_fn=_end_with_parent
        ) as self._process:
            lines = []
            for line in self._process.stdout or ():
                print(line, end="", flush=True)
                lines.append(line)
        code = self._process.returncode
        if code in FINAL:
            raise AirflowFailException(
                f"{' '.join(words[:2])}: exit code {code}, {FINAL[code]}: the lines above say what"
            )
        if code:
            raise RuntimeError(f"{' '.join(words[:2])}: exit code {code}")
        return "".join(lines) if self.answers else ""

    def on_kill(self) -> None:
        """The command saves what it has and ends; one that does not is killed."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()


class MoviegenReport(Moviegen):
    """A command that writes the report of a lake: the task has a button that opens it."""

    operator_extra_links = (ReportLink(),)


def _job(task_id: str, verb: str, *words: str) -> tuple[type[BaseOperator], dict]:
    """Operator and arguments of a job of `moviegen curate`, which writes to a lake."""
    operator = Moviegen
    if os.environ.get("MOVIEGEN_SPARK_CONN"):
        from moviegen_spark import MoviegenOnSpark as operator
    words = ("curate", verb, "--config", "{config}", "--lake", "{lake}", "--batch", "{batch}", "--subset", "{subset}",
             "--spark.master", "{master}", *words, "{more}")  # fmt: skip
    return operator, {"task_id": task_id, "words": words, "pool": LAKE_POOL}


def job(task_id: str, verb: str, *words: str):
    """A job to be expanded over `given`, the batches that `moviegen_runs.settings` tells of."""
    operator, arguments = _job(task_id, verb, *words)
    label = "{{ task.given['batch'] }} {{ (task.each or {}).get('detector', '') }}"
    return operator.partial(**arguments, max_active_tis_per_dagrun=1, map_index_template=label)


def job_in_order(task_id: str, verb: str, given) -> BaseOperator:
    """One task that does a job for all batches, the earlier first."""
    operator, arguments = _job(task_id, verb)
    return operator(**arguments, given=given)
