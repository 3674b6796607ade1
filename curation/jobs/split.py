"""Split: every readable video becomes shots, per-frame signals and clips, in one decoding pass."""

from dataclasses import asdict

from curation.clips import splitter_hash
from curation.config import CurateConfig

from .ingest import check_unchanged, read_videos
from .parts import Operation, Rows, Task, attempt
from .session import Session, Work

TABLES = ("failures", "signals", "shots", "clips")


def split(session: Session) -> None:
    """Splits the readable videos that are not split yet with these settings."""
    videos = {row["video_id"]: row for row in read_videos(session.lake, session.batch)}
    inputs = {key: {name: row[name] for name in ("uri", "video_id", "size_bytes")} for key, row in videos.items()}
    _warn_of_replacement(session)
    work = Work(operation(session.config), inputs, valid=set(inputs), cost=lambda key: gigapixels(videos[key]))
    session.perform("split", [work], "videos")


def _warn_of_replacement(session: Session) -> None:
    version = operation(session.config).version
    others = [part for part in session.lake.read_commit("clips", session.batch).parts if part.version != version]
    if others:
        session.progress.say(
            f"split: the settings are not those of {sum(part.num_rows for part in others)} clips of batch {session.batch}, "
            "which are replaced; another --batch or lake keeps both"
        )


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
        found = attempt(
            "split", video["video_id"], lambda video=video: _split(video, task.operation.params), rows["failures"]
        )
        for name, added in (found or {}).items():
            rows[name] += added
    return rows


def _split(video: dict, params: dict) -> Rows:
    from moviegen.media.worker import guarded_call

    check_unchanged(video)
    call = (video["uri"], video["video_id"], params["settings"])
    return guarded_call("curation.clips.split_video_json", *call, **params["limits"])
