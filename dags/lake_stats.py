"""The questions an analyst asks of every new batch, and the report, when new shards are there."""

from airflow.sdk import Param, dag, task
from moviegen_command import RETRIES, Moviegen
from moviegen_runs import PARAMS, SHARDS, report, settings

VIEWS = ("funnel", "rejections", "drop_reasons", "bucket_fill", "hours_by_subset", "failures_by_stage", "shard_sizes")

FORM = {
    **PARAMS,
    "views": Param(
        list(VIEWS), type="array", minItems=1, items={"type": "string"}, description="of `moviegen stats LAKE`"
    ),
}


@dag(schedule=[SHARDS], params=FORM, default_args=RETRIES, tags=["moviegen"], doc_md=__doc__)
def lake_stats():
    """A task a view: its rows are the task's result, as JSON."""

    @task
    def views(run: dict) -> list[dict]:
        return [{"view": name} for name in run["views"]]

    run = settings(own=("batches", "config", "master"))
    Moviegen.partial(
        task_id="stats", words=("stats", "{lake}", "{view}", "--json"), answers=True, given=run,
        map_index_template="{{ task.each['view'] }}",
    ).expand(each=views(run))  # fmt: skip
    report("report", given=run)


lake_stats()
