"""Airflow 3: raw video to shards, one task a job. Each task is the command a person would type, so the same thing runs without Airflow.

Airflow lives in an environment of its own; MOVIEGEN_BIN says where the `moviegen` command is (default: the PATH). A task that is
killed and tried again goes on from what is committed; a finished run run again does no work and changes no byte.
"""

import os
import subprocess
from datetime import timedelta

from airflow.sdk import Asset, Param, dag, task

JOBS = ("ingest", "split", "score", "embed", "filter", "caption", "shard")
"""Jobs of `moviegen curate`, in order."""

SHARDS = Asset("moviegen_shards", uri="x-moviegen://lake/shards")
"""What a training DAG may wait for."""

TEXT = {"type": "string", "minLength": 1}

PARAMS = {
    "input": Param("videos", **TEXT, description="folder of videos"),
    "lake": Param("lake", **TEXT, description="folder of the lake"),
    "config": Param("configs/curation/demo.yaml", **TEXT, description="YAML of the curation"),
    "batch": Param("default", **TEXT, description="partition of the lake these videos belong to"),
    "master": Param("local[*,4]", **TEXT, description="Spark's master"),
}


def moviegen(*words: str) -> None:
    """Runs a moviegen command without a shell, its lines into the task's log. Raises CalledProcessError on any other end than 0."""
    command = [os.environ.get("MOVIEGEN_BIN", "moviegen"), *words]
    print("$", *command, flush=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)


@dag(
    schedule=None,
    params=PARAMS,
    max_active_runs=1,  # a lake has one writer
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["moviegen"],
    doc_md=__doc__,
)
def curate_videos():
    """The jobs one after another, then check and report."""

    @task
    def curate(job: str, params: dict | None = None) -> None:
        given = params or {}
        words = ["--config", given["config"], "--lake", given["lake"], "--batch", given["batch"]]
        words += ["--spark.master", given["master"], *(["--input", given["input"]] if job == "ingest" else [])]
        moviegen("curate", job, *words)

    @task(outlets=[SHARDS])
    def check(params: dict | None = None) -> None:
        moviegen("curate", "check", (params or {})["lake"])

    @task
    def report(params: dict | None = None) -> None:
        moviegen("curate", "report", (params or {})["lake"])

    before = None
    for job in JOBS:
        now = curate.override(task_id=job)(job)
        if before is not None:
            before >> now
        before = now
    before >> check() >> report()


curate_videos()
