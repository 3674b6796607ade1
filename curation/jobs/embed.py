"""Embed: embedders turn the clips that no rule has rejected into vectors, from which copies, concepts and likenesses are found."""

import functools
import json

from curation.detectors.base import ClipInput
from curation.embedders import embedder_version, load_embedder
from curation.embedders.base import Embedder, check_vectors
from curation.filters import load_rules

from .clips import Batch, embed_stage, fetch_input, worker_limits
from .parts import Operation, Rows, Task, attempt
from .score import alive_clips, fetch_cost
from .session import Session, Work

TABLES = ("failures", "embeddings")


def embed(session: Session) -> None:
    """Embeds what is not embedded yet, with every embedder of the config, the cheapest first."""
    config = session.config.embed
    loaded = {name: load_embedder(name, params) for name, params in config.embedders.items()}
    batch = Batch(session.lake, session.batch)
    wanted = alive_clips(batch, load_rules(session.config.filter.rules), 0.0) if loaded else []
    for name in sorted(loaded, key=lambda name: (loaded[name].cost, name)):
        session.perform(f"embed {name}", [_work(session, name, loaded[name], batch, wanted)])


def _work(session: Session, name: str, embedder: Embedder, batch: Batch, wanted: list[str]) -> Work:
    operation = Operation(
        embed_stage(name),
        embedder_version(embedder),
        TABLES,
        "curation.jobs.embed:embed_rows",
        {"embedder": name, "params": session.config.embed.embedders[name], "limits": worker_limits(session.config)},
    )
    return Work(
        operation,
        {clip_id: batch.source(clip_id) for clip_id in wanted},
        valid=set(batch.clips),
        cost=fetch_cost(batch, embedder.frames),
        extra_s=embedder.cost / 1000,
    )


def embed_rows(task: Task) -> Rows:
    """Rows of `embeddings` and `failures` for a group of clips."""
    rows: Rows = {name: [] for name in TABLES}
    operation = task.operation
    embedder = _loaded(operation.params["embedder"], json.dumps(operation.params["params"], sort_keys=True))
    for source in task.inputs:
        clip_id = source["clip"]["clip_id"]
        vectors = attempt(
            operation.name,
            clip_id,
            lambda source=source: _embed(embedder, fetch_input(embedder.frames, task, source)),
            rows["failures"],
        )
        rows["embeddings"] += [
            {
                "clip_id": clip_id,
                "embedder": operation.params["embedder"],
                "place": place,
                "vector": vector,
                "embedder_version": operation.version,
            }
            for place, vector in enumerate([] if vectors is None else vectors.tolist())
        ]
    return rows


@functools.cache
def _loaded(name: str, params: str) -> Embedder:
    """An embedder, loaded once a worker."""
    return load_embedder(name, json.loads(params))


def _embed(embedder: Embedder, clip: ClipInput):
    return check_vectors(embedder, embedder.embed(clip), clip.clip.clip_id)
