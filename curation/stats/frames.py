"""Timestamps of a clip's frames for a picture of it, from the one part that holds its video's signals: as `clip_frames`, for few clips."""

from functools import lru_cache
from typing import TYPE_CHECKING

from curation.rows import read_files
from moviegen.contracts.lake import Lake, Part
from moviegen.contracts.tables import SIGNALS

from .duck import ask

if TYPE_CHECKING:
    import duckdb

PARTS = (1, 3, 5)
"""Sixths of the clip's frames at which it is shown."""

_CLIP = "select batch, video_id, start_frame, num_frames from clips where clip_id = ? order by batch limit 1"
_FILE = "select uri from videos where video_id = ? and status = 'ok' order by batch, uri limit 1"


def clip_frames(
    connection: "duckdb.DuckDBPyConnection", lake: Lake, clip_id: str
) -> tuple[str, tuple[int, ...]] | None:
    """(uri, timestamps) of three frames of a clip; None when its signals or its video are not there.

    The view of that name reads every signal of the lake for it, which at a million clips takes minutes.
    """
    for batch, video_id, start_frame, num_frames in ask(connection, _CLIP, [clip_id]).rows:
        part = _signal_parts(lake, batch, lake.commit_stamp("signals", batch)).get(video_id)
        files = ask(connection, _FILE, [video_id]).rows
        if part is None or not files:
            return None
        rows = read_files(
            [lake.file(part.path, part.sha256)], SIGNALS, ["start_frame", "num_frames", "pts"], video_id=[video_id]
        )
        pts = {row["start_frame"] + place: value for row in rows for place, value in enumerate(row["pts"])}
        places = (start_frame + round(num_frames * sixth / 6) for sixth in PARTS)
        return files[0][0], tuple(pts[place] for place in places if place in pts)
    return None


@lru_cache(maxsize=8)
def _signal_parts(lake: Lake, batch: str, stamp: object) -> dict[str, Part]:
    """Video -> the part that holds its signals."""
    return {key: part for part in lake.read_commit("signals", batch).parts for key in part.keys}
