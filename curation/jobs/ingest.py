"""Ingest: every video file under the input folder becomes a row of `videos`, also one that cannot be opened."""

import json
import os
from pathlib import Path

from curation.config import CurateConfig
from curation.rows import read_table
from moviegen.contracts.clip import file_sha256, hash_id, video_id_of
from moviegen.contracts.lake import Lake
from moviegen.contracts.tables import VIDEOS
from moviegen.errors import UsageError

from .parts import MAX_MESSAGE_CHARS, Operation, Rows, Task
from .session import Session, Work

VERSION = 1
"""Raised when the rows of the same file would be others."""

PROBE_S = 0.05
"""CPU-seconds to hash and probe a file, roughly."""

MAX_CAPTION_BYTES = 100_000
"""A caption file longer than this is refused."""


def ingest(session: Session) -> None:
    """Probes and hashes the files that are new or changed since they were last ingested."""
    if session.config.input is None:
        raise UsageError("moviegen curate: which videos? --input FOLDER")
    files = {file["key"]: file for file in list_inputs(session.config)}
    if not files:
        suffixes = ", ".join(session.config.ingest.suffixes)
        raise UsageError(
            f"{session.config.input}: no file there ends in {suffixes}; set --ingest.suffixes or another --input"
        )
    _refuse_other_folder(session, {file["uri"] for file in files.values()})
    session.perform("ingest", [Work(operation(session.config), files, extra_s=PROBE_S)], "files")


def _refuse_other_folder(session: Session, uris: set[str]) -> None:
    """Raises UsageError when not one file of the batch is among the inputs: its clips would all go."""
    known = {row["uri"] for row in read_table(session.lake, "videos", session.batch, ["uri"])}
    num_clips = sum(part.num_rows for part in session.lake.read_commit("clips", session.batch).parts)
    if session.replace or not num_clips or known & uris:
        return
    told = (
        f"--input {session.config.input}: holds none of the {len(known)} files of batch {session.batch}, such as {min(known)}; "
        f"their {num_clips} clips would be replaced. Another --batch NAME keeps both; --replace if it is meant"
    )
    if not session.dry_run:
        raise UsageError(told)
    session.progress.say(f"ingest would be refused: {told}")


def operation(config: CurateConfig) -> Operation:
    """The operation of these settings."""
    limits = {"timeout_s": config.limits.probe_timeout_s, "memory_bytes": config.limits.memory_mb << 20}
    return Operation("ingest", hash_id("ingest", VERSION), ("videos",), "curation.jobs.ingest:ingest_rows", limits)


def list_inputs(config: CurateConfig) -> list[dict]:
    """Every file under the input folder that is named like a video: uri, size, time of change, caption file, key.

    The key is the hash of all these, so a file that did not change is neither read nor hashed again.
    """
    assert config.input is not None
    root = config.input.expanduser().resolve()
    if not root.is_dir():
        raise UsageError(f"--input {config.input}: no such folder")
    lake = config.lake.resolve()
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if (Path(folder) / name) != lake)
        for name in sorted(names):
            path = Path(folder) / name
            if path.suffix.lower().lstrip(".") in config.ingest.suffixes:
                found.append(input_file(path, config.ingest.read_captions))
    return found


def input_file(path: Path, read_captions: bool) -> dict:
    """What is known of a file without reading it, and its key."""
    status = path.stat() if path.exists() else path.lstat()
    caption = _caption_file(path) if read_captions else None
    facts = {
        "uri": _uri(path),
        "size_bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "caption": str(caption) if caption else None,
        "caption_mtime_ns": caption.stat().st_mtime_ns if caption else None,
    }
    return {**facts, "key": hash_id(facts)}


def _uri(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _caption_file(path: Path) -> Path | None:
    """The caption beside a video: `<name>.txt` first, then `<name>.json`."""
    candidates = (path.with_suffix(".txt"), path.with_suffix(".json"))
    return next((file for file in candidates if file.is_file()), None)


def ingest_rows(task: Task) -> Rows:
    """Rows of `videos` for a group of files."""
    return {"videos": [video_row(file, task.operation.params) for file in task.inputs]}


def video_row(file: dict, limits: dict) -> dict:
    """The row of one file, with `status` ok or failed."""
    row = dict.fromkeys((column.name for column in VIDEOS.columns), None)
    row |= {
        "uri": file["uri"],
        "size_bytes": file["size_bytes"],
        "video_id": hash_id("unread", file["uri"]),
        "sha256": "",
    }
    try:
        path = Path(file["uri"])
        row["sha256"] = _hash_unchanged(path, file)
        row["video_id"] = video_id_of(row["sha256"])
        row |= _probe(path, limits) | {"status": "ok"}
    except Exception as error:  # a bad file is a row, never a dead job
        return row | {"status": "failed", "error": _text(error)}
    try:
        row["source_caption"] = read_caption(file["caption"])
    except (OSError, ValueError) as error:  # the video is good all the same
        row["error"] = _text(error)
    return row


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:MAX_MESSAGE_CHARS]


def _hash_unchanged(path: Path, file: dict) -> str:
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: not a regular file")
    sha256 = file_sha256(path)
    status = path.stat()
    if (status.st_size, status.st_mtime_ns) != (file["size_bytes"], file["mtime_ns"]):
        raise ValueError(f"{path}: changed while it was read; run again when nobody writes to it")
    return sha256


def _probe(path: Path, limits: dict) -> dict:
    from moviegen.media.worker import guarded_call

    return guarded_call("curation.jobs.ingest.probe_columns", str(path), **limits)


def probe_columns(path: str) -> dict:
    """Columns of `videos` that the probe of a file gives. Runs in the guarded worker."""
    from moviegen.media.probe import probe

    found = probe(Path(path))
    names = (
        "container",
        "video_codec",
        "audio_codec",
        "width",
        "height",
        "num_frames",
        "duration",
        "rotation",
        "has_audio",
    )
    columns = {name: getattr(found, name) for name in names}
    return {**columns, "fps_num": found.fps.numerator, "fps_den": found.fps.denominator}


def read_caption(path: str | None) -> str | None:
    """The caption in a file: its text, or `caption` (or `text`) of a JSON object; None without. Raises ValueError on a broken file."""
    if path is None:
        return None
    data = Path(path).read_bytes()
    if len(data) > MAX_CAPTION_BYTES:
        raise ValueError(f"{path}: {len(data)} bytes of caption, at most {MAX_CAPTION_BYTES} are read")
    try:
        text = data.decode()
        if path.endswith(".json"):
            values = json.loads(text)
            text = (values.get("caption") or values.get("text")) if isinstance(values, dict) else None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not a caption: {error}") from error
    return " ".join(text.split()) or None if isinstance(text, str) else None


def read_videos(lake: Lake, batch: str) -> list[dict]:
    """Readable videos of a batch, one row a video_id: of files with the same bytes the first by batch and uri counts.

    A file's caption may lie beside another with the same bytes: the first there is counts.
    """
    columns = ["video_id", "status"]
    earlier = [r for b in lake.batches("videos") if b < batch for r in read_table(lake, "videos", b, columns)]
    taken = {row["video_id"] for row in earlier if row["status"] == "ok"}
    first: dict[str, dict] = {}
    for row in sorted(read_table(lake, "videos", batch), key=lambda row: row["uri"]):
        if row["status"] == "ok" and row["video_id"] not in taken:
            kept = first.setdefault(row["video_id"], dict(row))
            kept["source_caption"] = kept["source_caption"] or row["source_caption"]
    return list(first.values())


def check_unchanged(video: dict) -> None:
    """Raises ValueError when a source file is not the size it was when it was ingested, OSError when it is gone."""
    size = Path(video["uri"]).stat().st_size
    if size != video["size_bytes"]:
        raise ValueError(
            f"{video['uri']}: {size} bytes, {video['size_bytes']} when ingested; run `moviegen curate ingest` again"
        )
