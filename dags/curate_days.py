"""A batch a day: the videos of `<inputs>/2026-11-21` become batch `2026-11-21`. Days that were missed, or that new settings shall do again:

airflow backfill create --dag-id curate_days --from-date 2026-11-01 --to-date 2026-11-20 --max-active-runs 1
"""

from pathlib import Path

from airflow.sdk import CronDataIntervalTimetable, Param, dag, task
from moviegen_command import RETRIES
from moviegen_runs import PARAMS, SHARDS, TEXT, curate

FORM = {name: param for name, param in PARAMS.items() if name != "batches"}


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    params={"inputs": Param("videos", **TEXT, description="folder with a folder a day"), **FORM},
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
    tags=["moviegen"],
    doc_md=__doc__,
)
def curate_days():
    """One day; a day without a folder is skipped. Whether there is anything at a url, `ingest` finds out."""

    @task.short_circuit
    def has_videos(inputs: str, day: str) -> bool:
        return "://" in inputs or (Path(inputs) / day).is_dir()

    @task
    def settings(day: str, params: dict | None = None) -> dict:
        given = dict(params or {})
        return {**given, "batches": {day: f"{given['inputs']}/{day}"}}

    run = settings("{{ ds }}")
    has_videos("{{ params.inputs }}", "{{ ds }}") >> run
    curate(run, SHARDS)


curate_days()
