"""Ingest: every video file under the input folder becomes a row of `videos`, also one that cannot be opened."""

import json
import os
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from curation.config import CurateConfig, IngestConfig
from curation.inputs import hash_plain, read_plain, refusal
from curation.remote import as_given, fetch_ingested, fetch_listed, list_videos, read_bytes, substituted
from curation.rows import read_table
from moviegen.contracts.clip import hash_id, video_id_of
from moviegen.contracts.lake import Lake
from moviegen.contracts.store import url_of
from moviegen.contracts.tables import VIDEOS
from moviegen.errors import StorageError, UsageError
from moviegen.media.limits import RefusedMediaError

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

    The key is the hash of all these, so a file that did not change is neither read nor hashed again. At a url, every object below it.
    """
    assert config.input is not None
    if (url := url_of(config.input)) is not None:
        listed = list_videos(url, config.ingest.suffixes, config.ingest.read_captions, config.lake)
        return [{**facts, "key": hash_id(facts)} for facts in listed]
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
                found.append(input_file(path, root, config.ingest))
    return found


def input_file(path: Path, root: Path, config: IngestConfig) -> dict:
    """What is known of a file without reading it, why it must not be read where that is so, and its key."""
    problem = refusal(path, root, config.follow_links)
    status = path.lstat() if problem else path.stat()
    caption = _caption_file(path) if config.read_captions and not problem else None
    caption_problem = refusal(caption, root, config.follow_links) if caption else None
    facts = {
        "uri": _text_of(path),
        "size_bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "caption": str(caption) if caption and not caption_problem else None,
        "caption_mtime_ns": caption.stat().st_mtime_ns if caption and not caption_problem else None,
    }
    problems = {"problem": problem, "caption_problem": caption_problem and f"{caption}: {caption_problem}"}
    facts |= {name: _text_of(text) for name, text in problems.items() if text}
    return {**facts, "key": hash_id(facts)}


def _text_of(path: Path | str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _caption_file(path: Path) -> Path | None:
    """The caption beside a video: `<name>.txt` first, then `<name>.json`; whether it may be read is another question."""
    candidates = (path.with_suffix(".txt"), path.with_suffix(".json"))
    return next((file for file in candidates if os.path.lexists(file) and not os.path.isdir(file)), None)


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
        if file.get("problem"):
            raise RefusedMediaError(f"{file['uri']}: {file['problem']}")
        path = Path(file["uri"])
        if url_of(file["uri"]) is None:
            row["sha256"] = _hash_unchanged(path, file)
        else:
            path, row["sha256"] = fetch_listed(file)
        row["video_id"] = video_id_of(row["sha256"])
        row |= probe_guarded(path, limits) | {"status": "ok"}
    except StorageError:  # no fault of the file's
        raise
    except Exception as error:  # a bad file is a row, never a dead job
        return row | {"status": "failed", "error": error_text(error)}
    try:
        if file.get("caption_problem"):
            raise RefusedMediaError(file["caption_problem"])
        row["source_caption"] = read_caption(file["caption"])
    except (OSError, ValueError, RefusedMediaError) as error:  # the video is good all the same
        row["error"] = error_text(error)
    return row


def error_text(error: Exception) -> str:
    """What stands in `videos.error`: the error's class and its message on one line."""
    return f"{type(error).__name__}: {' '.join(as_given(str(error)).split())}"[:MAX_MESSAGE_CHARS]


def _hash_unchanged(path: Path, file: dict) -> str:
    sha256 = hash_plain(path)
    status = path.stat()
    if (status.st_size, status.st_mtime_ns) != (file["size_bytes"], file["mtime_ns"]):
        raise ValueError(f"{path}: changed while it was read; run again when nobody writes to it")
    return sha256


def probe_guarded(path: Path | str, limits: dict) -> dict:
    """Columns of `videos` that the probe of a file gives. Raises what the guarded worker does."""
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
    data = read_plain(Path(path), MAX_CAPTION_BYTES) if url_of(path) is None else read_bytes(path, MAX_CAPTION_BYTES)
    try:
        text = data.decode()
        if path.endswith(".json"):
            values = json.loads(text)
            text = (values.get("caption") or values.get("text")) if isinstance(values, dict) else None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not a caption: {error}") from error
    return _one_line(text) or None if isinstance(text, str) else None


def _one_line(text: str) -> str:
    """The words of a text, without characters that steer terminals and files (NUL, ESC)."""
    return "".join(char for char in " ".join(text.split()) if unicodedata.category(char) != "Cc")


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


def read_unchanged(videos: Iterable[dict], function: str, *args: Any, **kwargs: Any) -> Any:
    """What `function` returns in the guarded worker, having read these source files: before and after, they are what was ingested.

    Raises ValueError when one is not, OSError when it is gone: a clip is never made of two versions of a file.
    """
    from moviegen.media.worker import guarded_call

    videos = list(videos)
    places = {video["uri"]: str(fetch_ingested(video)) for video in videos if url_of(video["uri"])}
    if places:
        args, kwargs = substituted(args, places), substituted(kwargs, places)
    for video in videos:
        check_unchanged(video)
    result = guarded_call(function, *args, **kwargs)
    for video in videos:
        check_unchanged(video)
    return result


def check_unchanged(video: dict) -> None:
    """Raises ValueError when a source file is not what it was when it was ingested, OSError when it is gone.

    A file is hashed once a process, and again when its inode or the time of its last change is another: programs can set a file's
    mtime, and not its ctime. One at a url is compared when it is fetched, and what was fetched does not change.
    """
    if url_of(video["uri"]) is not None:
        return
    path = Path(video["uri"])
    status = path.stat()
    if status.st_size != video["size_bytes"]:
        what = f"{status.st_size} bytes, {video['size_bytes']} when ingested"
    elif _sha256_of(path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns) != video["sha256"]:
        what = "its bytes are not those ingested (sha256 differs)"
    else:
        return
    raise ValueError(f"{path}: {what}; `touch` it and run `moviegen curate run` again")


@lru_cache(maxsize=4096)
def _sha256_of(path: Path, *identity: int) -> str:
    return hash_plain(path)
