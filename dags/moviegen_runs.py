"""What a run is told, by the form of Trigger or by the asset that started it, and the tasks that several DAGs share."""

import json
import os
from collections.abc import Mapping

from airflow.sdk import Asset, Metadata, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException
from moviegen_command import Moviegen, MoviegenReport, job, job_in_order
from moviegen_events import FROM_EVENT, merged

SHARDS = Asset("moviegen_shards", uri="x-moviegen://lake/shards")
"""Updated when a batch is in checked shards; the event says in which lake."""

TEXT = {"type": "string", "minLength": 1}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}

PARAMS = {
    "batches": Param(
        {"default": "videos"}, type="object", minProperties=1, description="batch -> folder of its videos"
    ),
    "lake": Param("lake", **TEXT, description="folder of the lake"),
    "config": Param("configs/curation/demo.yaml", **TEXT, description="YAML of the curation"),
    "subset": Param("demo", **TEXT, description="selection that the rules make, and its shards"),
    "master": Param("local[*,4]", **TEXT, description="Spark's master"),
    "more": Param([], type="array", items={"type": "string"}, description="more settings: --filter.rules, my.yaml"),
    "min_kept": Param(0.01, **SHARE, description="share of a batch's clips that must be in shards, else the run fails"),
    "max_kept": Param(1.0, **SHARE, description="and that may be; 1 is no bound"),
}
"""The form of a curation."""


def with_defaults(form: Mapping[str, Param], variable: str) -> dict[str, Param]:
    """The form with the defaults that an environment variable's JSON object has: what a run is told that nobody fills a form for. Raises
    ValueError naming the variable, which Airflow shows as the DAG's import error."""
    try:
        given = json.loads(os.environ.get(variable) or "{}")
    except ValueError as error:
        raise ValueError(f"{variable} is no JSON: {error}") from error
    if not isinstance(given, dict) or (unknown := sorted({*given} - {*form})):
        wrong = ", ".join(unknown) if isinstance(given, dict) else given
        raise ValueError(f"{variable}: wanted an object with some of {', '.join(form)}, got {wrong}")
    return {
        name: Param(given.get(name, param.value), description=param.description, **param.schema)
        for name, param in form.items()
    }


@task
def settings(own: tuple[str, ...] = (), params: dict | None = None) -> dict:
    """The form, with what the asset's events say of the lake, but for the `own` names."""
    found = (get_current_context().get("triggering_asset_events") or {}).values()
    try:
        return {**(params or {}), **merged([event.extra for events in found for event in events], own)}
    except ValueError as error:
        raise AirflowFailException(str(error)) from error


@task
def batches_of(run: dict) -> list[dict]:
    """What a task of one batch is told: a record a batch, in the order of their names. Fails where there is none."""
    if not run.get("batches"):
        raise AirflowFailException("batches is empty: name at least one, batch -> folder of its videos")
    return [{**run, "batch": name, "input": folder} for name, folder in sorted(run["batches"].items())]


def curate(run, outlet: Asset) -> None:
    """All jobs over the batches of a run's settings, the detectors one by one, then the checks that fail a run, then the report."""
    batches = batches_of(run)
    detectors = Moviegen(
        task_id="detectors", answers=True, needs="score.detectors of the config names none", given=run,
        words=("curate", "detectors", "--config", "{config}", "--lake", "{lake}", "--json", "{more}"),
    )  # fmt: skip
    ingest = job("ingest", "ingest", "--input", "{input}").expand(given=batches)
    split = job("split", "split").expand(given=batches)
    score = job("score", "score", "--until", "{detector}").expand(given=batches, each=detectors.output)
    embed = job("embed", "embed").expand(given=batches)
    # one task for all batches, in order: what a batch keeps decides what later ones drop
    select = job_in_order("filter", "filter", batches)
    caption = job("caption", "caption").expand(given=batches)
    shard = job("shard", "shard").expand(given=batches)
    ingest >> split >> score >> embed >> select >> caption >> shard
    checked = checks(run, batches)
    shard >> checked
    done = published(outlet)(run)
    checked >> done
    done >> report("report", given=run)


def checks(run, batches) -> list:
    """Tasks that look at what was made and fail the run, each for one kind of wrong."""
    of_lake = ("curate", "check", "{lake}", "--only")
    of_batch = ("--batch", "{batch}", "--subset", "{subset}", "--min_kept", "{min_kept}", "--max_kept", "{max_kept}")
    by_lake = [
        Moviegen(task_id=f"check_{kind}", words=(*of_lake, kind), given=run)
        for kind in ("parts", "schema", "queries", "shards")
    ]
    by_batch = [
        Moviegen.partial(task_id=f"check_{kind}", words=(*of_lake, kind, *of_batch)).expand(given=batches)
        for kind in ("rows", "funnel")
    ]
    return by_lake + by_batch


def report(task_id: str, given):
    """The report of a lake and subset, with a button that opens it."""
    return MoviegenReport(task_id=task_id, words=("curate", "report", "{lake}", "--subset", "{subset}"), given=given)


def published(outlet: Asset):
    """A task that tells whoever waits for the asset where its data lie."""

    @task(outlets=[outlet], task_id="publish")
    def publish(run: dict):
        yield Metadata(outlet, {name: run[name] for name in (*FROM_EVENT, "output") if name in run})

    return publish
