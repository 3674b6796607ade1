"""Long sources measured in chunks, so that one film keeps all cores busy; the split of such a video only joins them."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict

from curation.rows import read_table
from moviegen.contracts.clip import hash_id

from .ingest import read_unchanged
from .parts import Operation, Rows, Task, attempt, finish, pending_keys
from .session import Session, Work

TABLES = ("chunks",)

PLAN = -1
"""Number of the row that holds a video's plan."""

LONG = 1.5
"""Sources longer than so many chunks are cut into chunks."""

log = logging.getLogger(__name__)


def measure_chunks(
    session: Session, split: Operation, videos: dict[str, dict], cost: Callable[[str], float]
) -> dict[str, list[tuple[str, str]]]:
    """Chunks of the long videos that are still to be split, measured: video_id -> path and SHA-256 of the parts of
    `chunks` that hold them.

    A video is missing where it cannot be cut, or where a chunk of it failed: then one pass says what is wrong.
    """
    chunk_s, cuts = session.config.spark.chunk_s, session.config.split.cuts
    if not chunk_s or cuts.detector != "transitions" or session.dry_run:
        return {}
    pending = pending_keys(session.lake, session.batch, split, set(videos))
    long = {key: videos[key] for key in pending if (videos[key]["duration"] or 0) > LONG * chunk_s}
    if not long:
        return {}
    plan, measured = _operations(session, chunk_s)
    inputs = {key: {name: row[name] for name in _COLUMNS} for key, row in long.items()}
    session.perform("plan chunks", [Work(plan, inputs, cost=lambda key: cost(key) / 50)], "long videos")
    wanted = {}
    for row in _read(session):
        chunks = json.loads(row["content"]) if row["chunk"] == PLAN and row["video_id"] in long else []
        for chunk in chunks if len(chunks) > 1 else []:
            is_last = chunk["number"] == len(chunks) - 1
            wanted[f"{row['video_id']}-{chunk['number']:04d}"] = {
                **inputs[row["video_id"]],
                "chunk": chunk,
                "is_last": is_last,
            }
    total = {key: sum(1 for name in wanted if name.startswith(key)) for key in long}
    session.perform(
        "split chunks", [Work(measured, wanted, cost=lambda name: cost(name[:32]) / total[name[:32]])], "chunks"
    )
    failed = {row["video_id"] for row in _read(session) if not row["content"]}
    parts = session.lake.read_commit("chunks", session.batch).parts
    paths = {name: (part.path, part.sha256) for part in parts if part.operation == measured.name for name in part.keys}
    return {
        key: sorted({paths[name] for name in wanted if name.startswith(key)})
        for key in long
        if total[key] and key not in failed
    }


_COLUMNS = ("uri", "video_id", "sha256", "size_bytes", "fps_num", "fps_den")


def drop_chunks(session: Session) -> None:
    """Takes back what is committed of chunks, by a run before this one too: the videos are split."""
    if session.dry_run or not session.lake.read_commit("chunks", session.batch).parts:
        return
    for operation in _operations(session, session.config.spark.chunk_s):
        finish(session.lake, session.batch, operation, set(), trim=False)


def _operations(session: Session, chunk_s: float) -> tuple[Operation, Operation]:
    config = session.config
    limits = {"timeout_s": config.limits.timeout_s, "memory_bytes": config.limits.memory_mb << 20}
    params = {"chunk_s": chunk_s, "cuts": asdict(config.split.cuts), "limits": limits}
    version = hash_id("chunks", 1, chunk_s, params["cuts"])
    return (
        Operation("split:plan", version, TABLES, "curation.jobs.split_chunks:plan_rows", params),
        Operation("split:chunks", version, TABLES, "curation.jobs.split_chunks:chunk_rows", params),
    )


def _read(session: Session) -> list[dict]:
    """Committed rows of `chunks`."""
    return read_table(session.lake, "chunks", session.batch)


def plan_rows(task: Task) -> Rows:
    """One row a video: its chunks, none where it cannot be cut."""
    return {
        "chunks": [_row(video, PLAN, lambda video=video: _plan(video, task.operation.params)) for video in task.inputs]
    }


def chunk_rows(task: Task) -> Rows:
    """One row a chunk: what was measured in it, empty where that failed."""
    rows = [
        _row(video, video["chunk"]["number"], lambda video=video: _measure(video, task.operation.params))
        for video in task.inputs
    ]
    return {"chunks": rows}


def _row(video: dict, number: int, call: Callable[[], object]) -> dict:
    """What failed is no chunk: the video is split in one pass, which gives the failure its row or does without chunks."""
    failures: list[dict] = []
    found = attempt("split:chunks", video["video_id"], call, failures)
    for failure in failures:
        log.warning("chunk %s of %s: %s; the video is split in one pass", number, video["uri"], failure["message"])
    nothing = "[]" if number == PLAN else ""
    return {"video_id": video["video_id"], "chunk": number, "content": nothing if failures else json.dumps(found)}


def _plan(video: dict, params: dict) -> list[dict]:
    fps = [video["fps_num"] or 30, video["fps_den"] or 1]
    call = (video["uri"], params["chunk_s"], fps)
    return read_unchanged([video], "curation.chunks.plan_chunks_json", *call, **params["limits"])


def _measure(video: dict, params: dict) -> dict:
    fps = [video["fps_num"] or 30, video["fps_den"] or 1]
    call = (video["uri"], video["chunk"], video["is_last"], params["cuts"], fps)
    return read_unchanged([video], "curation.chunks.measure_chunk", *call, **params["limits"])
