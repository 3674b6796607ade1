"""A video's signals over time as a picture: where it was cut, what was taken, what moved."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.rows import read_files, read_table, read_video
from curation.signals.table import SIGNAL_COLUMNS, slice_signals
from moviegen.contracts.lake import Lake, atomic_write
from moviegen.contracts.tables import TABLES
from moviegen.disk import writing
from moviegen.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("change, 0..255", ("cut_score", "difference")),
    ("motion", ("motion", "motion_vector")),
    ("flow, diag/s", ("flow", "flow_residual")),
    ("camera, diag/s", ("camera_x", "camera_y")),
    ("light, 0..255", ("luma", "flash")),
    ("bars, px", ("border_top", "border_bottom", "border_left", "border_right")),
)
"""Label and the signals of each row of the picture."""

SIZE_IN = (14.0, 9.0)
LEGEND = "green kept, red rejected, blue not decided, grey a transition; thick a clip's score, dashed a rule's bound"
MAX_POINTS = 4000
"""Points of a line: of longer videos the highest of each stretch is drawn, so that no peak is lost."""


def draw_timeline(lake: Lake, video: str, path: Path) -> dict[str, int]:
    """Writes the picture (png, svg or pdf by its ending) of a video, given by id, file name or uri; its shots and clips counted.

    Shot ends are lines, gradual transitions grey, clips green where a selection keeps them, red where one rejects them, else blue.
    Raises UsageError when no video, or more than one, is meant, or when it has not been split.
    """
    from matplotlib.figure import Figure

    row = find_video(lake, video)
    video_id = row["video_id"]
    parts = read_video(lake, "signals", video_id)
    if not parts:
        raise UsageError(f"{row['uri']}: has no signals; it failed, or `moviegen curate split` has not been run on it")
    signals = slice_signals(parts, 0, sum(len(each["pts"]) for each in parts))
    shots, clips = read_video(lake, "shots", video_id), read_video(lake, "clips", video_id)
    colours = _colours(lake, clips)
    levels = _levels(lake, clips) + _bounds(lake, video_id)
    figure = Figure(figsize=SIZE_IN, layout="constrained")
    axes = figure.subplots(len(ROWS), 1, sharex=True)
    for axis, (label, names) in zip(axes, ROWS, strict=True):
        for name in names:
            values = signals[name]
            if name in WITHIN_SHOTS and len(values):
                values = np.where(between_shots(shots, len(values)), np.nan, values)
            _line(axis, signals["pts_s"], values, name)
        _mark(axis, signals["pts_s"], shots, clips, colours)
        _draw_levels(axis, signals["pts_s"], [each for each in levels if OF_METRIC[each.metric] in names])
        axis.set_ylabel(label)
        axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="x-small", borderaxespad=0.2)
    counts = ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((len(shots), "shot"), (len(clips), "clip")))
    axes[0].set_title(f"{Path(row['uri']).name}: {counts}; {LEGEND}")
    axes[-1].set_xlabel("seconds")
    with writing(path), atomic_write(path, "page") as temporary:
        figure.savefig(temporary, dpi=90, format=path.suffix.lstrip(".") or None)
    return {"shots": len(shots), "clips": len(clips)}


WITHIN_SHOTS = ("motion", "motion_vector", "flow", "flow_residual", "camera_x", "camera_y")
"""Not drawn from one shot to the next, where nothing moves: what they say there would hide all the rest."""


def between_shots(shots: list[dict], num_frames: int) -> np.ndarray:
    """(num_frames,) bool: the first frame of a shot, and the transition that leads into it."""
    between = np.zeros(num_frames, bool)
    for shot in shots:
        start = shot["start_frame"]
        between[start : start + max(1, shot["transition_frames"])] = True
    return between


def find_video(lake: Lake, video: str) -> dict:
    """The row of `videos` whose id begins so, whose uri it is or ends in it. Raises UsageError naming some there are."""
    rows = [row for row in read_table(lake, "videos") if row["status"] == "ok"]
    found = [row for row in rows if row["uri"] == video or row["video_id"] == video]
    found = found or [row for row in rows if Path(row["uri"]).name == video]
    found = found or [row for row in rows if len(video) >= 6 and row["video_id"].startswith(video)]
    if len(found) == 1:
        return found[0]
    some = ", ".join(Path(row["uri"]).name for row in (found or rows)[:5])
    what = f"{len(found)} videos are called" if found else "no readable video is called"
    raise UsageError(
        f"{lake.place}: {what} {video!r}; give an id, a uri or a file's name, such as one of {some or 'none'}"
    )


def _colours(lake: Lake, clips: list[dict]) -> dict[str, str]:
    """Colour of each clip by what the selections say."""
    ids = {clip["clip_id"] for clip in clips}
    colours = dict.fromkeys(ids, "tab:blue")
    for row in read_table(lake, "selection"):
        if row["clip_id"] in ids and colours[row["clip_id"]] != "tab:green":
            colours[row["clip_id"]] = "tab:green" if row["keep"] else "tab:red"
    return colours


OF_METRIC = {"motion.vmaf": "motion", "motion.vector": "motion_vector", "motion.flow": "flow", "light.luma": "luma"}
"""Metrics that are the mean of a signal over the clip: their scores and bounds are drawn on its row."""


@dataclass(frozen=True)
class Level:
    """A clip's score, or a rule's bound, on a signal's row."""

    metric: str
    value: float
    words: str
    span: tuple[int, int] | None = None
    """First frame of the clip and the one after it; None of a bound."""


def _levels(lake: Lake, clips: list[dict]) -> list[Level]:
    """The scores of the clips that are drawn on a row."""
    spans = {clip["clip_id"]: (clip["start_frame"], clip["start_frame"] + clip["num_frames"]) for clip in clips}
    parts = [part for part in lake.committed_parts("scores") if not spans.keys().isdisjoint(part.keys)]
    rows = read_files(lake.files(parts), TABLES["scores"], clip_id=list(spans), metric=list(OF_METRIC)) if spans else []
    return [Level(row["metric"], row["score"], row["metric"], spans[row["clip_id"]]) for row in rows]


def _bounds(lake: Lake, video_id: str) -> list[Level]:
    """The bounds of the rules of the video's batches, of all subsets, that are drawn on a row."""
    batches = [
        batch
        for batch in lake.batches("clips")
        if any(key.startswith(video_id) for part in lake.committed_parts("clips", batch) for key in part.keys)
    ]
    rows = [row for batch in batches for row in read_table(lake, "rules", batch)]
    bounds = {(row["metric"], bound, row["bound"]) for row in rows for bound in (row["min"], row["max"])}
    return [Level(*each) for each in sorted(bounds, key=str) if each[0] in OF_METRIC and each[1] is not None]


def _draw_levels(axis: "Axes", seconds: np.ndarray, levels: list[Level]) -> None:
    top = axis.get_ylim()[1]
    for each in levels:
        if each.span is not None:
            end = seconds[min(each.span[1], len(seconds) - 1)]
            axis.hlines(each.value, seconds[each.span[0]], end, color="black", linewidth=2)
        elif each.value <= 4 * top:  # a bound far above would flatten all the rest
            axis.axhline(each.value, color="tab:purple", linestyle="--", linewidth=1, label=each.words)
    if any(each.span is None for each in levels):
        axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="x-small", borderaxespad=0.2)


def _line(axis: "Axes", seconds: np.ndarray, values: np.ndarray, name: str) -> None:
    """One signal; nothing for a codec without vectors."""
    assert name in SIGNAL_COLUMNS
    known = np.isfinite(values) if len(values) == len(seconds) else np.zeros(len(seconds), bool)
    seconds, values = seconds[known], values[: len(seconds)][known] if known.any() else np.zeros(0)
    if len(values) > MAX_POINTS:
        step = -(-len(values) // MAX_POINTS)
        edges = np.arange(0, len(values), step)
        seconds, values = seconds[edges], np.maximum.reduceat(values, edges)
    axis.plot(seconds, values, linewidth=0.8, label=name)


def _mark(axis: "Axes", seconds: np.ndarray, shots: list[dict], clips: list[dict], colours: dict[str, str]) -> None:
    last = len(seconds) - 1
    for clip in clips:
        end = min(clip["start_frame"] + clip["num_frames"], last)
        axis.axvspan(
            seconds[clip["start_frame"]], seconds[end], color=colours[clip["clip_id"]], alpha=0.12, linewidth=0
        )
    for shot in shots:
        start = seconds[shot["start_frame"]]
        if shot["start_frame"]:
            axis.axvline(start, color="black", linewidth=0.6, alpha=0.7)
        if shot["transition_frames"]:
            axis.axvspan(
                start, seconds[min(shot["start_frame"] + shot["transition_frames"], last)], color="grey", alpha=0.35
            )
