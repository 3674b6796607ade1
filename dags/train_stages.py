"""Shards to models: the stages of a recipe, when new shards are there. A stage that is done is skipped, one that was killed goes on
from its newest checkpoint."""

from airflow.sdk import Asset, Param, dag
from moviegen_command import RETRIES, Moviegen
from moviegen_runs import SHARDS, TEXT, published, settings

MODEL = Asset("moviegen_model", uri="x-moviegen://runs/model")

PARAMS = {
    "recipe": Param("configs/recipes/tiny.yaml", **TEXT, description="YAML of the stages"),
    "lake": Param("lake", **TEXT, description="folder of the lake"),
    "subset": Param("demo", **TEXT, description="selection to train on"),
    "output": Param("runs", **TEXT, description="folder of the run"),
    "more": Param([], type="array", items={"type": "string"}, description="more settings: --steps.tae_64px, 300"),
}


@dag(schedule=[SHARDS], params=PARAMS, max_active_runs=1, default_args=RETRIES, tags=["moviegen"], doc_md=__doc__)
def train_stages():
    """A mapped task a stage, each up to and with its own: whichever is tried first, the stages run in order."""
    run = settings(own=("batches", "config", "master"))
    train = ("train", "run", "{recipe}", "--lake", "{lake}", "--subset", "{subset}", "--output", "{output}")
    stages = Moviegen(
        task_id="stages", words=(*train, "--list"), answers=True, needs="the recipe has no stages", given=run
    )
    stage = Moviegen.partial(
        task_id="stage", words=(*train, "--until", "{name}", "{more}"), max_active_tis_per_dagrun=1, given=run,
        map_index_template="{{ task.each['name'] }}",
    ).expand(each=stages.output)  # fmt: skip
    stage >> published(MODEL)(run)


train_stages()
