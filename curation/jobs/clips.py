"""What the later jobs read of a batch: its clips, with their videos, signals, scores and failures."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.config import CurateConfig
from curation.detectors.base import ClipInput, FrameRequest
from curation.rows import read_files, read_parts, read_table
from curation.signals.table import slice_signals
from moviegen.contracts.clip import Clip
from moviegen.contracts.lake import Lake
from moviegen.contracts.tables import SIGNALS

from .ingest import read_unchanged, read_videos
from .parts import Task, attempt

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Batch:
    """The committed rows of one batch, read once when first asked for. Make a new one after a job has committed."""

    lake: Lake
    name: str

    @cached_property
    def videos(self) -> dict[str, dict]:
        """Readable videos by id."""
        return {row["video_id"]: row for row in read_videos(self.lake, self.name)}

    @cached_property
    def clips(self) -> dict[str, dict]:
        """Clips of these videos by id."""
        rows = read_table(self.lake, "clips", self.name)
        return {row["clip_id"]: row for row in rows if row["video_id"] in self.videos}

    @cached_property
    def scores(self) -> dict[str, dict[str, float]]:
        """Metric -> score of each clip; a clip without scores has an empty dict."""
        found: dict[str, dict[str, float]] = {clip_id: {} for clip_id in self.clips}
        columns = ("clip_id", "metric", "score")
        for rows in read_parts(
            self.lake, "scores", self.name, columns
        ):  # not as dicts: a million clips have 20 million scores
            for clip_id, metric, score in zip(*(rows[name].to_pylist() for name in columns), strict=True):
                if clip_id in found:
                    found[clip_id][sys.intern(metric)] = score
        return found

    @cached_property
    def failed_detectors(self) -> dict[str, set[str]]:
        """Names of the detectors that failed on each clip."""
        found: dict[str, set[str]] = {}
        for stage, clip_id in self._failures:
            if stage.startswith("score:"):
                found.setdefault(clip_id, set()).add(stage.removeprefix("score:"))
        return found

    def failed_embeddings(self, embedder: str) -> set[str]:
        """Clips that an embedder failed on."""
        return {clip_id for stage, clip_id in self._failures if stage == embed_stage(embedder)}

    @cached_property
    def _failures(self) -> list[tuple[str, str]]:
        rows = read_table(self.lake, "failures", self.name, ["stage", "input_id"])
        return [(row["stage"], row["input_id"]) for row in rows]

    def video_of(self, clip_id: str) -> dict:
        """Row of the clip's video."""
        return self.videos[self.clips[clip_id]["video_id"]]

    @cached_property
    def signal_parts(self) -> dict[str, tuple[str, str]]:
        """Path, below the lake's root, and SHA-256 of the part that holds each video's signals."""
        parts = self.lake.read_commit("signals", self.name).parts
        return {key: (part.path, part.sha256) for part in parts for key in part.keys}

    def source(self, clip_id: str) -> dict:
        """Plain JSON of a clip for a task: its row, its video's row and where its signals lie."""
        clip = self.clips[clip_id]
        video_id = clip["video_id"]
        return {"clip": clip, "video": self.videos[video_id], "signals": self.signal_parts.get(video_id)}


def embed_stage(embedder: str) -> str:
    """Name of the operation that embeds clips, as in `failures.stage`."""
    return f"embed:{embedder.replace(':', '.')}"


def read_signals(lake: Lake, source: dict) -> "dict[str, np.ndarray]":
    """The signals of a clip's frames by name, as detectors take them."""
    clip = source["clip"]
    return _clip_signals(lake.file(*source["signals"]), clip["video_id"], clip["start_frame"], clip["num_frames"])


@lru_cache(maxsize=512)
def _clip_signals(part: Path, video_id: str, start_frame: int, num_frames: int) -> "dict[str, np.ndarray]":
    # the detectors that need no more than these come to a clip one after another: some 20 KB are kept of each
    found = slice_signals(_video_signals(part, video_id), start_frame, num_frames)
    shared = {name: values.copy() for name, values in found.items()}
    for values in shared.values():
        values.flags.writeable = False
    return shared


@lru_cache(maxsize=4)
def _video_signals(part: Path, video_id: str) -> list[dict]:
    return read_files([part], SIGNALS, video_id=[video_id])


def fetch_input(request: FrameRequest, task: Task, source: dict) -> ClipInput:
    """A clip with the frames and the sound a detector or captioner asks for, decoded in the guarded worker."""
    from curation.scoring import clip_input

    clip, video, signals = Clip(**source["clip"]), source["video"], read_signals(task.lake, source)
    if not request.needs_file:
        return clip_input(request, clip, video, signals)
    call = ("curation.scoring.clip_input", request, clip, video, signals)
    return read_unchanged([video], *call, **task.operation.params["limits"])


def attempt_clips(task: Task, make: Callable[[Task, dict], Any], failures: list[dict]) -> list:
    """What `make` returns for each clip of a task; a clip that it fails on is a row of `failures` and left out."""
    made = (
        attempt(task.operation.name, source["clip"]["clip_id"], lambda source=source: make(task, source), failures)
        for source in task.inputs
    )
    return [each for each in made if each is not None]


def worker_limits(config: CurateConfig) -> dict:
    """What the guarded worker may take for one input."""
    return {"timeout_s": config.limits.timeout_s, "memory_bytes": config.limits.memory_mb << 20}
