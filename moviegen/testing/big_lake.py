"""A lake of a million clips without a picture: tables as the jobs leave them, made in minutes, to measure what reads them.

Every decision follows from the scores by the rules written beside them, costly detectors saw only what cheap rules left and the explored
share, and each part holds as many keys as asked: reading it costs what reading a real one does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from moviegen.contracts.clip import hash_id
from moviegen.contracts.lake import Commit, Lake, Part
from moviegen.contracts.tables import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

CHEAP = {
    "probe": ("probe.width", "probe.height", "probe.min_side", "probe.aspect", "probe.duration", "probe.fps", "probe.source_duration"),
    "motion": ("motion.vmaf", "motion.vector", "motion.px_per_frame", "motion.flow", "motion.object", "motion.static_fraction"),
    "borders": ("borders.max_px", "borders.area_fraction", "borders.unsteady_fraction"),
    "jitter": ("jitter.shots_per_second", "jitter.shake"),
    "still": ("still.freeze_fraction", "still.longest_freeze_s", "still.picture_fraction"),
    "light": ("light.luma", "light.black_fraction", "light.flashes_per_second"),
}  # fmt: skip
"""Detectors that see every clip, and their metrics."""

COSTLY = {
    "aesthetic": ("aesthetic.middle",),
    "ocr": ("ocr.max_score", "ocr.area_fraction", "ocr.overlay_score", "ocr.scene_score"),
}
"""Detectors that see what the rules before them leave, in order."""

RULES = (
    ("resolution", "probe.min_side", 0.45, None),
    ("text", "ocr.max_score", None, 0.6),
    ("border", "borders.area_fraction", None, 0.9),
    ("aesthetics", "aesthetic.middle", 0.35, None),
    ("motion", "motion.vmaf", 0.2, None),
    ("jitter", "jitter.shots_per_second", None, 0.9),
)
"""(rule, metric, min, max): all scores lie in 0..1."""


@dataclass(frozen=True)
class BigLake:
    """What is made."""

    num_clips: int = 1_000_000
    clips_per_video: int = 3
    num_batches: int = 10
    keys_per_part: int = 500
    """Clips in a part."""
    explored: float = 0.01
    """Share of the clips that costly detectors saw all the same."""
    subset: str = "big"
    seed: int = 0


def write_big_lake(root: Path, make: BigLake) -> Lake:
    """The lake, committed; the same arguments give the same bytes."""
    lake = Lake(root)
    sizes = [len(part) for part in np.array_split(np.arange(make.num_clips), make.num_batches)]
    for number, size in enumerate(sizes):
        _write_batch(lake, f"b{number:02d}", size, make, np.random.default_rng([make.seed, number]))
    return lake


def _write_batch(lake: Lake, batch: str, num: int, make: BigLake, random: np.random.Generator) -> None:
    num_videos = -(-num // make.clips_per_video)
    video_ids = _ids(random, num_videos)
    clip_ids = np.sort(_ids(random, num))
    owner = np.arange(num) // make.clips_per_video
    scores = {m: random.random(num) for group in (CHEAP, COSTLY) for metrics in group.values() for m in metrics}
    shown, reasons = _decide(scores, random.random(num) < make.explored)
    videos = [f"/data/{batch}/{number:07d}.mp4" for number in range(num_videos)]
    tables = {
        "videos": (video_ids, _videos(video_ids, videos)),
        "clips": (video_ids, _clips(clip_ids, video_ids[owner], np.arange(num) % make.clips_per_video)),
        "shots": (video_ids, _shots(video_ids, make.clips_per_video)),
    }
    for name, (keys, columns) in tables.items():
        _commit(lake, name, batch, [("split" if name != "videos" else "ingest", keys, columns, make.keys_per_part)])
    _commit(lake, "scores", batch, list(_scores(clip_ids, scores, shown, make)))
    kept = reasons == ""
    chosen = {"subset": make.subset, "clip_id": clip_ids, "keep": kept, "reason": reasons, "detail": "", "skipped": ""}
    _commit(lake, "selection", batch, [(f"filter:{make.subset}", clip_ids, chosen, num)])
    _commit(lake, "rules", batch, [(f"filter:{make.subset}", clip_ids[:1], _rules(make.subset), 1 << 30)])
    texts = np.array([f"a thing number {number} moves over the ground" for number in range(int(kept.sum()))])
    own = clip_ids[kept]
    written = {"clip_id": own, "captioner": "template", "text": texts, "camera_motion": None, "captioner_version": "1"}
    _commit(lake, "captions", batch, [("caption:template", own, written, make.keys_per_part)])
    _write_shards(lake, batch, own, texts, make)


def _ids(random: np.random.Generator, num: int) -> np.ndarray:
    """`num` different ids of 32 hex digits."""
    digits = random.bytes(16 * num).hex()
    return np.array([digits[32 * place : 32 * place + 32] for place in range(num)])


def _decide(scores: dict[str, np.ndarray], explored: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """(detector -> clips that it saw, reason of each clip), as scoring in stages leaves them."""
    num = len(explored)
    known = {metric: np.ones(num, bool) for metrics in CHEAP.values() for metric in metrics}
    shown = {name: np.ones(num, bool) for name in CHEAP}
    for name, metrics in COSTLY.items():
        shown[name] = explored | ~_rejections(scores, known).any(axis=0)
        known |= dict.fromkeys(metrics, shown[name])
    rejected = _rejections(scores, known)
    names = np.array([*(name for name, *_ in RULES), ""], object)
    return shown, names[np.where(rejected.any(axis=0), rejected.argmax(axis=0), len(RULES))]


def _rejections(scores: dict[str, np.ndarray], known: dict[str, np.ndarray]) -> np.ndarray:
    """(R, N) bool: the rule has a score and does not hold."""
    rows = []
    for _, metric, low, high in RULES:
        fails = scores[metric] < low if low is not None else scores[metric] > high
        rows.append(fails & known[metric] if metric in known else np.zeros(len(fails), bool))
    return np.stack(rows)


def _videos(video_ids: np.ndarray, uris: list[str]) -> dict:
    blank = {column.name: None for column in TABLES["videos"].columns}
    media = {"container": "mp4", "video_codec": "h264", "width": 1280, "height": 720, "fps_num": 30, "fps_den": 1}
    about = {"size_bytes": 9_000_000, "num_frames": 1800, "duration": 60.0, "rotation": 0, "has_audio": False}
    return blank | media | about | {"video_id": video_ids, "uri": uris, "sha256": video_ids, "status": "ok"}


def _clips(clip_ids: np.ndarray, video_ids: np.ndarray, shots: np.ndarray) -> dict:
    start = shots * 300
    spans = {"start_pts": start, "end_pts": start + 240, "start_frame": start, "num_frames": 240, "shot": shots}
    about = {"tb_num": 1, "tb_den": 30, "fps_num": 30, "fps_den": 1, "width": 1280, "height": 720}
    crops = {f"crop_{side}": 0 for side in ("top", "bottom", "left", "right")}
    return spans | about | crops | {"clip_id": clip_ids, "video_id": video_ids}


def _shots(video_ids: np.ndarray, per_video: int) -> dict:
    number = np.tile(np.arange(per_video), len(video_ids))
    spans = {"start_pts": number * 300, "end_pts": number * 300 + 300, "start_frame": number * 300, "num_frames": 300}
    about = {"transition": "cut", "transition_frames": 0, "score": None}
    return spans | about | {"video_id": np.repeat(video_ids, per_video), "shot": number}


def _rules(subset: str) -> dict:
    """Rows of `rules`, and the last about buckets, as the filter writes them."""
    rows = [
        (name, metric, low, high, f"{metric} >= {low:g}" if low is not None else f"{metric} <= {high:g}", "keep")
        for name, metric, low, high in RULES
    ]
    rows.append(("bucket", "", None, None, "duration in a bucket", "error"))
    names = ("rule", "metric", "min", "max", "bound", "if_missing")
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return columns | {"subset": [subset] * len(rows), "position": list(range(len(rows)))}


def _scores(
    clip_ids: np.ndarray, scores: dict[str, np.ndarray], shown: dict[str, np.ndarray], make: BigLake
) -> Iterator[tuple[str, np.ndarray, dict, int]]:
    for detector, metrics in (CHEAP | COSTLY).items():
        seen = shown[detector]
        own = clip_ids[seen]
        yield (
            f"score:{detector}",
            own,
            {
                "clip_id": np.repeat(own, len(metrics)),
                "detector": detector,
                "metric": np.tile(np.array(metrics), len(own)),
                "score": np.stack([scores[metric][seen] for metric in metrics], axis=1).reshape(-1),
                "detector_version": hash_id(detector),
            },
            make.keys_per_part,
        )


def _write_shards(lake: Lake, batch: str, clip_ids: np.ndarray, texts: np.ndarray, make: BigLake) -> None:
    """Rows of tars of 256 samples; the tars themselves are not there."""
    bucket, number = "16x9-f128", int(batch[1:])
    paths = [
        f"shards/subset={make.subset}/bucket={bucket}/{100_000 * number // 100 + place:06d}.tar"
        for place in range(-(-len(clip_ids) // 256))
    ]
    path_of = np.repeat(np.array(paths), 256)[: len(clip_ids)]
    samples = {"subset": make.subset, "clip_id": clip_ids, "path": path_of, "caption": texts, "captioner": "template"}
    shape = {"width": 1280, "height": 720, "num_frames": 240, "has_audio": False}
    counts = [min(256, len(clip_ids) - 256 * place) for place in range(len(paths))]
    shards = {"path": paths, "subset": make.subset, "bucket": bucket, "num_samples": counts, "size_bytes": 500_000_000}
    operation = f"shard:{make.subset}"
    _commit(lake, "samples", batch, [(operation, clip_ids, samples | shape, 256)])
    _commit(lake, "shards", batch, [(operation, np.array(paths), shards | {"sha256": "0" * 64}, 1)])


def _commit(lake: Lake, table: str, batch: str, works: list[tuple[str, np.ndarray, dict, int]]) -> None:
    """Writes parts of so many keys each and commits them; rows lie in the order of their keys, as many a key."""
    import pyarrow.parquet as pq

    schema = _schema(table)
    parts = []
    for operation, keys, columns, per_part in works:
        content = _table(columns, schema)
        for start in range(0, len(keys), per_part):
            own = tuple(keys[start : start + per_part].tolist())
            first, last = (round(content.num_rows * place / len(keys)) for place in (start, start + len(own)))
            path = lake.part_path(table, batch, operation, "1", own)
            (lake.root / path).parent.mkdir(parents=True, exist_ok=True)
            rows = content.slice(first, last - first)
            pq.write_table(rows, lake.root / path, compression="zstd")  # no fsync: nothing is lost that cannot be made
            parts.append(Part(path, operation, "1", own, rows.num_rows, "0" * 64))
    lake.write_commit(Commit(table, batch, tuple(parts)))


def _table(columns: dict, schema: "pa.Schema") -> "pa.Table":
    """Columns in the table's order; a single value stands for every row."""
    import pyarrow as pa

    num = next(len(values) for values in columns.values() if isinstance(values, list | np.ndarray))
    arrays = []
    for field in schema:
        values = columns[field.name]
        if isinstance(values, list | np.ndarray):
            arrays.append(pa.array(values if isinstance(values, list) else values.tolist(), field.type))
        else:
            arrays.append(pa.repeat(pa.scalar(values, field.type), num))
    return pa.Table.from_arrays(arrays, schema=schema)


def _schema(table: str) -> "pa.Schema":
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "int32": pa.int32(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
    }
    return pa.schema([pa.field(c.name, types[c.type], c.nullable) for c in TABLES[table].columns])
