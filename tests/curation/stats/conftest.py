"""A lake written by hand in which every number is known."""

import pytest

from curation.rows import write_rows
from moviegen.contracts.lake import Commit, Lake, Part
from moviegen.contracts.tables import TABLES

SIGNALS = (
    "pts_s", "cut_score", "motion", "luma", "border_top", "border_bottom", "border_left", "border_right",
)  # fmt: skip
"""Columns that have a value a frame; the others are empty."""


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


def video(name: str, video_id: str, **values: object) -> dict:
    return {"uri": f"/in/{name}.mp4", "video_id": video_id, "status": "ok"} | values


def shot(video_id: str, number: int, start: int, transition: str, **values: object) -> dict:
    """Ninety frames of nine seconds."""
    span = {"start_frame": start, "num_frames": 90, "start_pts": start, "end_pts": start + 90}
    return {"video_id": video_id, "shot": number, "transition": transition, **span} | values


def clip(name: str, video_id: str, seconds: int, number: int = 0, start: int = 0) -> dict:
    """Whole seconds at ten frames a second, of a shot, from a frame on."""
    num_frames = 10 * seconds
    span = {"start_frame": start, "num_frames": num_frames, "start_pts": start, "end_pts": start + num_frames}
    rates = {"tb_num": 1, "tb_den": 10, "fps_num": 10, "fps_den": 1}
    return {"clip_id": name, "video_id": video_id, "shot": number, **span, **rates}


def signals(video_id: str) -> dict:
    """Two shots of ninety frames in which nothing moves."""
    columns = {name: [0.0] * 180 for name in SIGNALS}
    return {"video_id": video_id, "num_frames": 180, "pts": list(range(180)), **columns}


def rule(position: int, name: str, metric: str, bound: str, if_missing: str, **limits: float) -> dict:
    about = {"rule": name, "metric": metric, "bound": bound, "if_missing": if_missing}
    return {"subset": "s", "position": position, **about, **limits}


def score(name: str, metric: str, value: float) -> dict:
    about = {"detector": metric.split(".")[0], "detector_version": "1"}
    return {"clip_id": name, "metric": metric, "score": float(value), **about}


def chosen(name: str, reason: str = "", detail: str = "", skipped: str = "") -> dict:
    """Kept, where there is no reason against it."""
    row = {"subset": "s", "clip_id": name, "keep": not reason}
    return row | {key: text for key, text in (("reason", reason), ("detail", detail), ("skipped", skipped)) if text}


def sources() -> dict[str, list[dict]]:
    """Seven files: v1 to v4 are split, v5 is broken, v6 fails in split, w1 has v1's bytes."""
    return {
        "videos": [
            *(video(name, name, duration=9.0) for name in ("v1", "v2", "v3", "v4", "v6")),
            video("w1", "v1"),
            video("v5", "v5", status="failed", error="UnreadableMediaError: is empty"),
        ],
        "shots": [
            *(shot(name, 0, 0, "start", transition_frames=0) for name in ("v1", "v2", "v3", "v4")),
            shot("v2", 1, 90, "cut"),
        ],
        "signals": [signals(name) for name in ("v1", "v2", "v3", "v4")],
        "failures": [{"stage": "split", "input_id": "v6", "error": "DecodeTimeoutError", "message": "took too long"}],
    }


def clips() -> dict[str, list[dict]]:
    """One clip each of v1 and v3, two of v2, none of v4, which is too short; one has no score of motion."""
    sides = {"c1": 400, "c2": 400, "c3": 400, "c4": 50}
    motions = {"c1": 5, "c2": 2.5, "c3": 1}
    measured = [score(name, "probe.min_side", side) for name, side in sides.items()]
    measured += [score(name, "motion.vmaf", motion) for name, motion in motions.items()]
    return {
        "clips": [clip("c1", "v1", 9), clip("c2", "v2", 6), clip("c3", "v2", 4, 1, 100), clip("c4", "v3", 8)],
        "scores": measured,
        "embeddings": [{"clip_id": name, "embedder": "e", "vector": [0.6, 0.8]} for name in ("c1", "c2")],
    }


def subset() -> dict[str, list[dict]]:
    """Of the subset `s`, c1 and c2 are kept and lie in a tar; c3 moves too little, c4 is too small."""
    return {
        "rules": [
            rule(0, "resolution", "probe.min_side", "big", "error", min=100.0),
            rule(1, "motion", "motion.vmaf", "moves", "keep", min=2.0, max=9.0),
        ],
        "selection": [
            chosen("c1", skipped="motion"),
            chosen("c2"),
            chosen("c3", "motion", "1 < 2"),
            chosen("c4", "resolution", "50 < 100"),
        ],
        "captions": [
            {"clip_id": "c1", "captioner": "source", "text": "a dog runs"},
            {"clip_id": "c2", "captioner": "source", "text": "<script>alert(1)</script> {{ 7 * 7 }}"},
        ],
        "shards": [{"path": "p", "subset": "s", "bucket": "1x1-f16", "num_samples": 2, "size_bytes": 3_000_000}],
        "samples": [{"subset": "s", "clip_id": name, "path": "p"} for name in ("c1", "c2")],
    }


@pytest.fixture
def known_tables() -> dict[str, list[dict]]:
    return sources() | clips() | subset()


@pytest.fixture
def make_lake(tmp_path):
    """Writes tables as a lake, or another batch of it, and gives its folder."""

    def make(content: dict[str, list[dict]], batch: str = "b"):
        lake = Lake(tmp_path / "lake")
        for name, rows in content.items():
            put(lake, name, rows, batch)
        return lake.root

    return make


@pytest.fixture
def known_lake(make_lake, known_tables):
    return make_lake(known_tables)
