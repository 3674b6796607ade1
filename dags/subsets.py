"""What else the same videos are made into, when new shards are there: clips with sound for Movie Gen Audio, in a lake of their own; the
personalisation and editing sets, beside the shards."""

from airflow.sdk import Asset, Param, dag
from moviegen_command import RETRIES, Moviegen, job
from moviegen_runs import PARAMS, SHARDS, TEXT, batches_of, curate, published, settings

AUDIO = Asset("moviegen_audio", uri="x-moviegen://lake/audio")
OWN = ("lake", "config", "subset")
FORM = {
    **PARAMS,
    "lake": Param("audio", **TEXT, description="folder of the lake with sound: its clips are cut otherwise"),
    "config": Param("configs/curation/audio.yaml", **TEXT, description="YAML of the curation"),
    "subset": Param("audio", **TEXT, description="name of the selection"),
}


@dag(schedule=[SHARDS], params=FORM, max_active_runs=1, default_args=RETRIES, tags=["moviegen"], doc_md=__doc__)
def curate_audio():
    """The batches whose shards are there, with another config, into another lake."""
    curate(settings(own=OWN), AUDIO)


def curate_set(kind: str):
    """A DAG that makes a set beside the shards: `personal` or `edits`."""
    outlet = Asset(f"moviegen_{kind}", uri=f"x-moviegen://lake/{kind}")

    @dag(
        f"curate_{kind}", schedule=[SHARDS], params=PARAMS, max_active_runs=1, default_args=RETRIES, tags=["moviegen"],
        doc_md=__doc__,
    )  # fmt: skip
    def make():
        run = settings()
        made = job(kind, kind).expand(given=batches_of(run))
        checked = Moviegen(task_id="check_shards", words=("curate", "check", "{lake}", "--only", "shards"), given=run)
        made >> checked >> published(outlet)(run)

    return make()


curate_audio()
personal, edits = curate_set("personal"), curate_set("edits")
