"""VBench's results, read without VBench: scores by dimension with intervals, and totals of our own that hide nothing.

Weights and bounds are those of its repository (Vchitect/VBench, Apache-2.0: scripts/constant.py). Its own script counts a dimension that
is missing as 0; here a total with a dimension missing is no number.
"""

import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moviegen.errors import UsageError

from .intervals import bootstrap

QUALITY = {
    "subject_consistency": (0.1462, 1.0, 1.0), "background_consistency": (0.2615, 1.0, 1.0), "temporal_flickering": (0.6293, 1.0, 1.0),
    "motion_smoothness": (0.706, 0.9975, 1.0), "aesthetic_quality": (0.0, 1.0, 1.0), "imaging_quality": (0.0, 1.0, 1.0),
    "dynamic_degree": (0.0, 1.0, 0.5),
}  # fmt: skip
"""Dimension -> lowest, highest, weight."""

SEMANTIC = {
    "object_class": (0.0, 1.0, 1.0), "multiple_objects": (0.0, 1.0, 1.0), "human_action": (0.0, 1.0, 1.0), "color": (0.0, 1.0, 1.0),
    "spatial_relationship": (0.0, 1.0, 1.0), "scene": (0.0, 0.8222, 1.0), "appearance_style": (0.0009, 0.2855, 1.0),
    "temporal_style": (0.0, 0.364, 1.0), "overall_consistency": (0.0, 0.364, 1.0),
}  # fmt: skip

IN_PERCENT = "imaging_quality"
"""MUSIQ's 0..100: of each video always; the dimension's own score is divided by 100 in VBench's later versions."""

QUALITY_SHARE = 4 / 5
"""Of the total; the rest is semantic."""

MAX_JSON_BYTES = 256_000_000
"""Of one results file."""


@dataclass(frozen=True)
class Dimension:
    """One score of VBench."""

    name: str
    value: float
    num_videos: int
    low: float
    """95 % interval over videos of the mean of their scores; NaN where VBench gives none of them."""
    high: float
    normalised: float


def read_results(path: Path) -> dict[str, Dimension]:
    """VBench's scores by dimension. Raises UsageError of a file that holds none, or of two different scores of one dimension."""
    found: dict[str, Dimension] = {}
    for name, content in _contents(path):
        for dimension, value in _scores(name, content):
            before = found.get(dimension.name)
            if before is not None and before.value != dimension.value:
                raise UsageError(
                    f"{name}: {dimension.name} is {value}, and {before.value} in another file; keep one of them"
                )
            found[dimension.name] = dimension
    if not found:
        raise UsageError(f"{path}: no score of VBench in it; wanted *_eval_results.json, a folder of them, or a .zip")
    return found


def _contents(path: Path) -> Iterator[tuple[str, Any]]:
    """(name, parsed JSON) of every results file."""
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder; wanted *_eval_results.json, a folder of them, or a .zip")
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    if info.filename.endswith(".json") and not Path(info.filename).name.startswith((".", "__")):
                        yield f"{path}:{info.filename}", json.loads(_member(archive, info))
            return
        for file in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
            if file.stat().st_size > MAX_JSON_BYTES:
                raise UsageError(f"{file}: larger than {MAX_JSON_BYTES // 1_000_000} MB: no results file")
            yield str(file), json.loads(file.read_text())
    except (OSError, ValueError, zipfile.BadZipFile, RecursionError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path}: {error}") from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member's bytes, however much its header says it is."""
    with archive.open(info) as file:
        content = file.read(MAX_JSON_BYTES + 1)
    if len(content) > MAX_JSON_BYTES:
        raise UsageError(f"{info.filename}: larger than {MAX_JSON_BYTES // 1_000_000} MB: no results file")
    return content


def _scores(name: str, content: Any) -> Iterator[tuple[Dimension, float]]:
    """Dimensions of a file: {dimension: [score, [{video_path, video_results}, ...]]}; files of another make have none."""
    if not isinstance(content, dict):
        return
    for key, entry in content.items():
        dimension = str(key).replace(" ", "_")
        if dimension not in QUALITY | SEMANTIC:
            continue
        if (
            not isinstance(entry, list)
            or not entry
            or isinstance(entry[0], bool)
            or not isinstance(entry[0], int | float)
        ):
            raise UsageError(f"{name}: {dimension} is {str(entry)[:60]}, wanted [score, [videos]]")
        percent = 100.0 if dimension == IN_PERCENT else 1.0
        videos = [value / percent for value in _video_scores(entry[1] if len(entry) > 1 else [])]
        interval = bootstrap(videos) if len(videos) > 1 else None
        value = float(entry[0]) / (percent if entry[0] > 1 else 1.0)
        low, high = (interval.low, interval.high) if interval else (math.nan, math.nan)
        yield Dimension(dimension, value, len(videos), low, high, normalise(dimension, value)), value


def _video_scores(rows: Any) -> list[float]:
    results = [row.get("video_results") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [float(value) for value in results if isinstance(value, int | float) and math.isfinite(value)]


def normalise(dimension: str, value: float) -> float:
    """A score between the bounds of its dimension, as VBench's table shows it."""
    low, high, _ = (QUALITY | SEMANTIC)[dimension]
    return (value - low) / (high - low)


def totals(found: Mapping[str, Dimension]) -> tuple[dict[str, float | None], list[str]]:
    """(quality, semantic and total, 0..1, None where a dimension is missing; the missing dimensions)."""
    parts = {name: _weighted(found, group) for name, group in (("quality", QUALITY), ("semantic", SEMANTIC))}
    quality, semantic = parts["quality"], parts["semantic"]
    total = None
    if quality is not None and semantic is not None:
        total = QUALITY_SHARE * quality + (1 - QUALITY_SHARE) * semantic
    return {**parts, "total": total}, [name for name in QUALITY | SEMANTIC if name not in found]


def _weighted(found: Mapping[str, Dimension], group: Mapping[str, tuple[float, float, float]]) -> float | None:
    if any(name not in found for name in group):
        return None
    weights = {name: weight for name, (_, _, weight) in group.items()}
    return sum(found[name].normalised * weight for name, weight in weights.items()) / sum(weights.values())
