"""A batch a day: the videos of `<inputs>/2026-11-21` become batch `2026-11-21`. What a nightly run is told stands in MOVIEGEN_DAYS, a JSON
object with values of the form. Days that were missed, or that new settings shall do again:

airflow backfill create --dag-id curate_days --from-date 2026-11-01 --to-date 2026-11-20 --max-active-runs 1
"""

from pathlib import Path

from airflow.sdk import CronDataIntervalTimetable, Param, dag, task
from airflow.sdk.exceptions import AirflowFailException
from moviegen_command import RETRIES
from moviegen_runs import PARAMS, SHARDS, TEXT, curate, with_defaults

FORM = {
    "inputs": Param("videos", **TEXT, description="folder with a folder a day"),
    "day": Param(
        None, type=["null", "string"], format="date", description="that folder; default: the run's logical date"
    ),
    **{name: param for name, param in PARAMS.items() if name != "batches"},
}
DAY = "{{ params.day or (ds | default('')) }}"
"""A run that was triggered without a logical date has no `ds`."""


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    params=with_defaults(FORM, "MOVIEGEN_DAYS"),
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
        if not day:
            raise AirflowFailException("the run has no logical date: say which day in the form, such as 2026-11-21")
        return "://" in inputs or (Path(inputs) / day).is_dir()

    @task
    def settings(day: str, params: dict | None = None) -> dict:
        given = dict(params or {})
        return {**given, "batches": {day: f"{given['inputs']}/{day}"}}

    run = settings(DAY)
    has_videos("{{ params.inputs }}", DAY) >> run
    curate(run, SHARDS)


curate_days()
