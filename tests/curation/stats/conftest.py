"""A lake written by hand in which every number is known."""

import pytest

from curation.rows import write_rows
from moviegen.contracts.lake import Commit, Lake, Part
from moviegen.contracts.tables import TABLES


def put(lake: Lake, table: str, rows: list[dict], batch: str = "b") -> None:
    """Commits rows as the only part of (table, batch); what a row leaves out is null, zero or empty."""
    blank = {"string": "", "int64": 0, "int32": 0, "float64": 0.0, "bool": False}
    full = [
        {c.name: row.get(c.name, None if c.nullable else blank.get(c.type, [])) for c in TABLES[table].columns}
        for row in rows
    ]
    path = lake.part_path(table, batch, "test", "1", [table])
    sha256 = write_rows(lake.root / path, TABLES[table], full)
    keys = tuple(sorted({row["video_id"] for row in rows})) if table == "signals" else ("k",)
    lake.write_commit(Commit(table, batch, (Part(path, "test", "1", keys, len(rows), sha256),)))


def clip(name: str, video: str, seconds: int, shot: int = 0) -> dict:
    span = {"start_frame": 0, "num_frames": 10 * seconds, "start_pts": 0, "end_pts": 10 * seconds}
    return {
        "clip_id": name,
        "video_id": video,
        "shot": shot,
        **span,
        "tb_num": 1,
        "tb_den": 10,
        "fps_num": 10,
        "fps_den": 1,
    }


def tables() -> dict[str, list[dict]]:
    """Six files: v1 kept, v2 has a kept and a rejected clip, v3 rejected, v4 too short, v1 again, one broken, one failed later."""
    videos = [{"uri": f"/in/v{i}.mp4", "video_id": f"v{i}", "status": "ok", "duration": 9.0} for i in (1, 2, 3, 4, 6)]
    videos += [{"uri": "/in/w1.mp4", "video_id": "v1", "status": "ok"}]
    videos += [{"uri": "/in/v5.mp4", "video_id": "v5", "status": "failed", "error": "UnreadableMediaError: is empty"}]
    shots = [
        {"video_id": f"v{i}", "num_frames": 90, "end_pts": 90, "transition": "start", "transition_frames": 0}
        for i in (1, 2, 3, 4)
    ]
    shots += [
        {
            "video_id": "v2",
            "shot": 1,
            "start_frame": 90,
            "num_frames": 90,
            "start_pts": 90,
            "end_pts": 180,
            "transition": "cut",
        }
    ]
    second = clip("c3", "v2", 4, 1) | {"start_frame": 100, "start_pts": 100, "end_pts": 140}
    signals = {"num_frames": 180, "pts": list(range(180))} | {
        name: [0.0] * 180
        for name in (
            "pts_s",
            "cut_score",
            "motion",
            "luma",
            "border_top",
            "border_bottom",
            "border_left",
            "border_right",
        )
    }
    rules = [
        {
            "subset": "s",
            "position": 0,
            "rule": "resolution",
            "metric": "probe.min_side",
            "min": 100.0,
            "bound": "big",
            "if_missing": "error",
        },
        {
            "subset": "s",
            "position": 1,
            "rule": "motion",
            "metric": "motion.vmaf",
            "min": 2.0,
            "max": 9.0,
            "bound": "moves",
            "if_missing": "keep",
        },
    ]
    scores = [("c1", 400, 5), ("c2", 400, 2.5), ("c3", 400, 1), ("c4", 50, None)]
    measured = [
        {
            "clip_id": name,
            "detector": metric.split(".")[0],
            "metric": metric,
            "score": float(value),
            "detector_version": "1",
        }
        for name, side, moved in scores
        for metric, value in (("probe.min_side", side), ("motion.vmaf", moved))
        if value is not None
    ]
    return {
        "videos": videos,
        "shots": shots,
        "signals": [{"video_id": f"v{i}", **signals} for i in (1, 2, 3, 4)],
        "clips": [clip("c1", "v1", 9), clip("c2", "v2", 6), second, clip("c4", "v3", 8)],
        "scores": measured,
        "embeddings": [{"clip_id": name, "embedder": "e", "vector": [0.6, 0.8]} for name in ("c1", "c2")],
        "rules": rules,
        "selection": [
            {"subset": "s", "clip_id": "c1", "keep": True, "skipped": "motion"},
            {"subset": "s", "clip_id": "c2", "keep": True},
            {"subset": "s", "clip_id": "c3", "keep": False, "reason": "motion", "detail": "1 < 2"},
            {"subset": "s", "clip_id": "c4", "keep": False, "reason": "resolution", "detail": "50 < 100"},
        ],
        "captions": [
            {"clip_id": "c1", "captioner": "source", "text": "a dog runs"},
            {"clip_id": "c2", "captioner": "source", "text": "<script>alert(1)</script> {{ 7 * 7 }}"},
        ],
        "shards": [{"path": "p", "subset": "s", "bucket": "1x1-f16", "num_samples": 2, "size_bytes": 3_000_000}],
        "samples": [{"subset": "s", "clip_id": name, "path": "p"} for name in ("c1", "c2")],
        "failures": [{"stage": "split", "input_id": "v6", "error": "DecodeTimeoutError", "message": "took too long"}],
    }


@pytest.fixture
def known_tables() -> dict[str, list[dict]]:
    return tables()


@pytest.fixture
def make_lake(tmp_path):
    """Writes tables as a lake and gives its folder."""

    def make(content: dict[str, list[dict]]):
        lake = Lake(tmp_path / "lake")
        for name, rows in content.items():
            put(lake, name, rows)
        return lake.root

    return make


@pytest.fixture
def known_lake(make_lake, known_tables):
    return make_lake(known_tables)
