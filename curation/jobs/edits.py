"""Edits: animated frame edits, marked objects and backtranslated clips, of the clips a subset keeps [S §5.1.3-5.1.4]."""

from dataclasses import asdict, fields, is_dataclass

from curation.config import CurateConfig
from curation.editing import EDITORS, SEGMENTERS, EditsConfig, MoveConfig, load_tool
from curation.rows import read_table
from curation.sets import SetSample, write_set_shard
from curation.shards import EncodeConfig, encode_version
from moviegen.contracts.clip import Clip, file_sha256, hash_id
from moviegen.errors import UsageError

from .chosen import chosen_captions, kept_clips
from .clips import Batch, attempt_clips, worker_limits
from .ingest import read_unchanged
from .parts import Operation, Rows, Task
from .session import Session, Work
from .shard import ENCODING_COST, clip_gigapixels

TABLES = ("failures", "set_samples", "set_shards")

VERSION = 2
"""Raised when the same clip and settings give other samples."""


def edits(session: Session) -> None:
    """Writes the tars of the editing set that are missing."""
    config = session.config.edits
    inputs = edit_inputs(session)
    work = Work(
        operation(session.config), inputs, cost=lambda key: ENCODING_COST * clip_gigapixels(inputs[key]["clip"])
    )
    if "segment" in config.tasks and not config.segmenter:
        session.progress.say("edits: no segmentation samples: edits.segmenter names nobody who finds objects")
    session.perform("edits" if config.subset == "edits" else f"edits {config.subset}", [work])
    if not session.dry_run:
        rows = read_table(session.lake, "set_samples", session.batch, ["kind", "subset", "task"])
        made = [row["task"] for row in rows if (row["kind"], row["subset"]) == ("edits", config.subset)]
        told = ", ".join(f"{task} {made.count(task)}" for task in config.tasks)
        session.progress.say(f"edits: {len(made)} samples: {told}; the others have nothing to edit or to mark")


def operation(config: CurateConfig) -> Operation:
    """The operation of these settings."""
    edits = config.edits
    tools = [load_tool("editor", edits.editor, EDITORS, edits.editor_params)]
    tools += [load_tool("segmenter", edits.segmenter, SEGMENTERS, edits.segmenter_params)] if edits.segmenter else []
    version = hash_id(
        "edits", VERSION, encode_version(config.shard.encode), asdict(edits), [_tool_version(t) for t in tools]
    )
    params = {"edits": asdict(edits), "encode": asdict(config.shard.encode), "limits": worker_limits(config)}
    return Operation(f"edits:{edits.subset}", version, TABLES, "curation.jobs.edits:sample_rows", params)


def _tool_version(tool: object) -> list:
    """Fields of an editor or segmenter; a weights file counts by its bytes."""
    if not is_dataclass(tool):
        raise UsageError(f"{type(tool).__name__} is no dataclass: its parameters are its fields")
    values = {f.name: getattr(tool, f.name) for f in fields(tool)}
    return [type(tool).__name__, {k: file_sha256(v) if hasattr(v, "read_bytes") else v for k, v in values.items()}]


def edit_inputs(session: Session) -> dict[str, dict]:
    """Plain JSON of each kept, captioned clip by key, with the tasks it is made into samples of."""
    config = session.config
    batch = Batch(session.lake, session.batch)
    captions = chosen_captions(config.caption, batch)
    kept = kept_clips(session.lake, session.batch, config.subset) & set(batch.clips) & set(captions)
    tasks = [task for task in config.edits.tasks if task != "segment" or config.edits.segmenter]
    inputs = {}
    for clip_id in sorted(kept):
        facts = {"clip": batch.clips[clip_id], "caption": captions[clip_id]["text"], "tasks": tasks}
        inputs[f"{clip_id}-{hash_id(facts)}"] = facts | {"video": batch.videos[batch.clips[clip_id]["video_id"]]}
    return inputs


def sample_rows(task: Task) -> Rows:
    """Writes one tar; its rows of `set_shards`, `set_samples` and `failures`. A clip with nothing to edit gives none."""
    rows: Rows = {name: [] for name in TABLES}
    samples = [each for made in attempt_clips(task, _samples, rows["failures"]) for each in made]
    subset = task.operation.params["edits"]["subset"]
    if not samples:
        return rows
    written = write_set_shard(task.lake.root, "edits", subset, samples)
    for row in written["set_shards"]:
        task.lake.publish(row["path"], row["sha256"])
    return rows | written


def _samples(task: Task, source: dict) -> list[SetSample]:
    params = task.operation.params
    return read_unchanged(
        [source["video"]],
        "curation.edit_samples.edit_samples",
        Clip(**source["clip"]),
        source["video"],
        source["tasks"],
        source["caption"],
        config=_config(params["edits"]),
        encode=EncodeConfig(**params["encode"]),
        **params["limits"],
    )


def _config(values: dict) -> EditsConfig:
    return EditsConfig(**values | {"tasks": tuple(values["tasks"]), "moves": MoveConfig(**values["moves"])})
