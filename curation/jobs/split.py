"""Split: every readable video becomes shots, per-frame signals and clips, in one decoding pass."""

import json
import logging
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

from curation.chunks import ChunkMismatchError, join_chunks
from curation.clips import VideoShape, split_config, split_measured, splitter_hash
from curation.config import CurateConfig
from curation.rows import read_files
from moviegen.contracts.tables import CHUNKS
from moviegen.errors import UsageError

from .ingest import check_unchanged, read_unchanged, read_videos
from .parts import Operation, Rows, Task, attempt
from .session import Session, Work
from .settings import refuse_replacement
from .split_chunks import drop_chunks, measure_chunks

TABLES = ("failures", "signals", "shots", "clips")

VIDEO_COLUMNS = ("uri", "video_id", "sha256", "size_bytes", "fps_num", "fps_den")
"""What a task is told of a video."""

log = logging.getLogger(__name__)


def split(session: Session) -> None:
    """Splits the readable videos that are not split yet with these settings."""
    videos = {row["video_id"]: row for row in read_videos(session.lake, session.batch)}
    inputs = {key: {name: row[name] for name in VIDEO_COLUMNS} for key, row in videos.items()}
    wanted = operation(session.config)
    _refuse_replacement(session, wanted)
    chunked = measure_chunks(session, wanted, videos, lambda key: gigapixels(videos[key]))
    for key, parts in chunked.items():
        inputs[key]["chunks"] = parts
    # joining chunks decodes nothing
    cost = lambda key: 0.0 if key in chunked else gigapixels(videos[key])  # noqa: E731
    session.perform("split", [Work(wanted, inputs, valid=set(inputs), cost=cost)], "videos")
    drop_chunks(session)


def _refuse_replacement(session: Session, wanted: Operation) -> None:
    try:
        told = refuse_replacement(session.lake, session.batch, wanted, session.replace)
    except UsageError as error:
        if not session.dry_run:
            raise
        session.is_refused, told = True, f"split would be refused: {error}"
    if told:
        session.progress.say(told)


def operation(config: CurateConfig) -> Operation:
    """The operation of these settings."""
    settings = asdict(config.split)
    limits = {"timeout_s": config.limits.timeout_s, "memory_bytes": config.limits.memory_mb << 20}
    params = {"settings": settings, "limits": limits}
    return Operation("split", splitter_hash(config.split), TABLES, "curation.jobs.split:split_rows", params)


def gigapixels(video: dict) -> float:
    """Pixels that decoding a whole video costs, in thousands of millions; a minute is assumed where no duration is known."""
    fps = (video["fps_num"] or 30) / (video["fps_den"] or 1)
    return (video["duration"] or 60.0) * fps * (video["width"] or 0) * (video["height"] or 0) / 1e9


def split_rows(task: Task) -> Rows:
    """Rows of shots, signals, clips and failures for a group of videos."""
    rows: Rows = {name: [] for name in TABLES}
    for video in task.inputs:
        found = attempt("split", video["video_id"], lambda video=video: _split(task, video), rows["failures"])
        for name, added in (found or {}).items():
            rows[name] += added
    return rows


def _split(task: Task, video: dict) -> Rows:
    params = task.operation.params
    if parts := video.get("chunks"):
        check_unchanged(video)
        try:
            return _join(video, [task.lake.file(*part) for part in parts], params)
        except ChunkMismatchError as error:
            log.warning("%s: %s; it is split in one pass", video["uri"], error)
    call = (video["uri"], video["video_id"], params["settings"])
    return read_unchanged([video], "curation.clips.split_video_json", *call, **params["limits"])


def _join(video: dict, parts: list[Path], params: dict) -> Rows:
    """Rows of a video whose chunks lie in these parts."""
    rows = read_files(parts, CHUNKS, video_id=[video["video_id"]])
    found = [json.loads(row["content"]) for row in sorted(rows, key=lambda row: row["chunk"]) if row["chunk"] >= 0]
    config = split_config(params["settings"])
    fps = Fraction(video["fps_num"] or 30, video["fps_den"] or 1)
    about = VideoShape(Fraction(*found[0]["time_base"]), fps, *found[0]["size"])
    return asdict(split_measured(join_chunks(found, config.cuts), about, video["video_id"], config))
