"""Caption: captioners write about the clips a subset keeps, in order; a clip that has a caption is not shown to the next."""

import functools
import json
from collections.abc import Sequence

from curation.captioning import captioner_version, load_captioner
from curation.captioning.base import Captioner
from curation.rows import read_table
from moviegen.contracts.clip import hash_id
from moviegen.contracts.lake import Lake

from .clips import Batch, fetch_input, worker_limits
from .parts import Operation, Rows, Task, attempt
from .session import Session, Work

TABLES = ("failures", "captions")


LOOKING_S = 5.0
"""CPU-seconds that a captioner which looks at frames takes for a clip, at least."""


def caption(session: Session) -> None:
    """Writes the captions that are missing for the subset's kept clips."""
    captioners = session.config.caption.captioners
    kept = kept_clips(session.lake, session.batch, session.config.subset)
    batch = Batch(session.lake, session.batch)
    for number, name in enumerate(captioners):
        has_one = chosen_captions(session.lake, session.batch, list(captioners)[:number])
        wanted = sorted(kept - set(has_one))
        session.perform(f"caption {name}", [_work(session, name, batch, wanted)])


def kept_clips(lake: Lake, batch: str, subset: str) -> set[str]:
    """Clips that a subset keeps."""
    rows = read_table(lake, "selection", batch, ["subset", "clip_id", "keep"])
    return {row["clip_id"] for row in rows if row["keep"] and row["subset"] == subset}


def chosen_captions(lake: Lake, batch: str, captioners: Sequence[str]) -> dict[str, dict]:
    """The caption of each clip: of several captioners the first in order."""
    found: dict[str, dict] = {}
    rows = read_table(lake, "captions", batch)
    for name in captioners:
        for row in rows:
            if row["captioner"] == name:
                found.setdefault(row["clip_id"], row)
    return found


def _work(session: Session, name: str, batch: Batch, wanted: list[str]) -> Work:
    params = session.config.caption.captioners[name]
    captioner = load_captioner(name, params)
    operation = Operation(
        f"caption:{name.replace(':', '.')}",
        captioner_version(captioner),
        TABLES,
        "curation.jobs.caption:caption_rows",
        {"captioner": name, "params": params, "limits": worker_limits(session.config)},
    )
    sources = {clip_id: batch.source(clip_id) for clip_id in batch.clips}
    keys = {clip_id: caption_key(source) for clip_id, source in sources.items()}
    inputs = {keys[clip_id]: sources[clip_id] for clip_id in wanted}
    return Work(operation, inputs, valid=set(keys.values()), extra_s=LOOKING_S if captioner.frames.needs_file else 0.0)


def caption_key(source: dict) -> str:
    """The clip's id and the hash of the text that came with its video: another text is another key."""
    return f"{source['clip']['clip_id']}-{hash_id(source['video']['source_caption'])}"


def caption_rows(task: Task) -> Rows:
    """Rows of `captions` and `failures` for a group of clips."""
    rows: Rows = {name: [] for name in TABLES}
    operation = task.operation
    captioner = _loaded(operation.params["captioner"], json.dumps(operation.params["params"], sort_keys=True))
    for source in task.inputs:
        clip_id = source["clip"]["clip_id"]
        written = attempt(
            operation.name,
            clip_id,
            lambda source=source: captioner.caption(fetch_input(captioner.frames, task, source)),
            rows["failures"],
        )
        if written is not None:
            rows["captions"].append(
                {
                    "clip_id": clip_id,
                    "captioner": operation.params["captioner"],
                    "text": written.text,
                    "camera_motion": written.camera_motion,
                    "captioner_version": operation.version,
                }
            )
    return rows


@functools.cache
def _loaded(name: str, params: str) -> Captioner:
    """A captioner, loaded once a worker."""
    return load_captioner(name, json.loads(params))
