"""The `signals` table: list columns with one value a frame, some thousand frames a row; and the frames of one clip again."""

from collections.abc import Iterable

import numpy as np

SIGNAL_COLUMNS = (
    "pts", "pts_s", "cut_score", "scene_score", "difference", "motion", "motion_vector", "luma", "black", "flash",
    "border_top", "border_bottom", "border_left", "border_right",
    "flow", "flow_residual", "camera_x", "camera_y", "camera_zoom", "camera_roll", "camera_inliers",
    "camera_parallax", "camera_centre", "camera_opposite",
)  # fmt: skip
"""The list columns of the `signals` table."""

CHUNK_FRAMES = 8192
"""Frames in one row of the `signals` table."""


def signal_rows(video_id: str, columns: dict[str, list[float]]) -> list[dict]:
    """Rows of the `signals` table, `CHUNK_FRAMES` frames each."""
    num_frames = len(columns["pts"])
    return [
        {
            "video_id": video_id,
            "chunk": chunk,
            "start_frame": start,
            "num_frames": min(CHUNK_FRAMES, num_frames - start),
            **{name: columns[name][start : start + CHUNK_FRAMES] for name in SIGNAL_COLUMNS},
        }
        for chunk, start in enumerate(range(0, num_frames, CHUNK_FRAMES))
    ]


def slice_signals(rows: Iterable[dict], start_frame: int, num_frames: int) -> dict[str, np.ndarray]:
    """The signals of frames `start_frame .. start_frame + num_frames - 1` of one video: (num_frames,) float32 a column, `pts` int64.

    `rows` are all rows of the video, in any order. `motion_vector` is (0,) where the codec has none. Raises ValueError when frames
    are missing.
    """
    chunks = sorted(rows, key=lambda row: row["chunk"])
    columns = {name: _join([chunk[name] for chunk in chunks], name) for name in SIGNAL_COLUMNS}
    total = len(columns["pts"])
    if start_frame < 0 or start_frame + num_frames > total:
        video = chunks[0]["video_id"] if chunks else "no video"
        raise ValueError(
            f"{video}: signals of {total} frames, wanted frames {start_frame}..{start_frame + num_frames - 1}"
        )
    return {name: values[start_frame : start_frame + num_frames] for name, values in columns.items()}


def _join(lists: list[list], name: str) -> np.ndarray:
    dtype = np.int64 if name == "pts" else np.float32
    return np.concatenate([np.zeros(0, dtype), *(np.asarray(values, dtype) for values in lists)])
