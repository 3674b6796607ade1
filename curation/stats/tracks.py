"""A video over time as plain numbers for inline SVG: its signals, where it was cut, what became of its clips, the bounds of their rules."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.rows import read_video
from curation.signals.table import slice_signals
from moviegen.contracts.lake import Lake

from .duck import ask
from .timeline import OF_METRIC, WITHIN_SHOTS, between_shots

if TYPE_CHECKING:
    import duckdb

WIDTH, ROW_HEIGHT, HEAD, POINTS = 1000, 66, 16, 500
"""Units of the drawing, HEAD of them for a row's label; points of a line: the highest of each stretch, so that no peak is lost."""

ROWS = (("cut_score", "change to the frame before"), ("motion", "motion"), ("flow", "optical flow"), ("luma", "light"))
"""Signals drawn, and their labels."""

MAX_VIDEOS = 4


@dataclass(frozen=True)
class Span:
    """A stretch of time, in units of the drawing."""

    x: float
    width: float
    kind: str
    """State of a clip, or transition."""
    words: str
    clip_id: str = ""
    label: str = ""
    """What stands on it."""


@dataclass(frozen=True)
class Level:
    """A clip's score, or a rule's bound, as a height."""

    x: float
    width: float
    y: float
    words: str


@dataclass(frozen=True)
class Row:
    """A signal."""

    label: str
    points: str
    """Of an SVG polyline; empty where nothing was measured."""
    low: float
    high: float
    scores: tuple[Level, ...]
    bounds: tuple[Level, ...]


@dataclass(frozen=True)
class Track:
    """A video."""

    name: str
    video_id: str
    seconds: float
    about: str
    cuts: tuple[float, ...]
    clips: tuple[Span, ...]
    transitions: tuple[Span, ...]
    rows: tuple[Row, ...]


def tracks(connection: "duckdb.DuckDBPyConnection", lake: Lake, subset: str) -> list[Track]:
    """Some videos of a subset: those in which most happens to their clips, then those of most shots."""
    found = ask(connection, _VIDEOS, [subset, MAX_VIDEOS]).rows
    drawn = (_track(connection, lake, subset, video_id, uri) for video_id, uri in found)
    return [each for each in drawn if each is not None]


_VIDEOS = """
with told as (
    select video_id, any_value(uri) as uri, count(distinct state || reason) as num_fates, count(*) as num_clips
    from clip_states
    where subset = ?
    group by video_id
)

select told.video_id, told.uri
from told
order by num_fates desc, num_clips desc, md5(video_id)
limit ?
"""

_CLIPS = """
select clip_id, start_s, duration_s, state, reason, detail, error
from clip_states
where subset = ? and video_id = ?
order by start_s
"""

_SCORES = """
select clip_id, metric, score
from scores
where list_contains(?, clip_id) and list_contains(?, metric)
"""


_RULES = """
select distinct rules.position, rules.metric, rules.min, rules.max, rules.bound
from rules
inner join clip_states using (subset, batch)
where subset = ? and clip_states.video_id = ?
order by rules.position, rules.bound
"""
"""Those of the video's own batches."""


def _track(connection, lake: Lake, subset: str, video_id: str, uri: str) -> Track | None:
    parts = read_video(lake, "signals", video_id)
    if not parts:
        return None
    signals = slice_signals(parts, 0, sum(len(each["pts"]) for each in parts))
    seconds = np.asarray(signals["pts_s"], np.float64)
    if len(seconds) < 2:
        return None
    start, end = float(seconds[0]), float(seconds[-1] + np.median(np.diff(seconds)))
    if end <= start:  # a stream without times
        return None
    scale = WIDTH / (end - start)

    def x_of(second: float) -> float:
        return round((min(max(second, start), end) - start) * scale, 1)

    clips = ask(connection, _CLIPS, [subset, video_id]).records()
    spans = tuple(_clip_span(each, x_of) for each in clips)
    shots = read_video(lake, "shots", video_id)
    edges = [(shot, seconds[min(shot["start_frame"], len(seconds) - 1)]) for shot in shots]
    cuts = tuple(x_of(at) for shot, at in edges if shot["start_frame"])
    gradual = tuple(_transition(shot, at, seconds, x_of) for shot, at in edges if shot["transition_frames"])
    rules = ask(connection, _RULES, [subset, video_id]).records()
    scores = ask(connection, _SCORES, [[each["clip_id"] for each in clips], list(OF_METRIC)]).rows
    places = {span.clip_id: span for span in spans}
    for name in WITHIN_SHOTS:
        if len(signals[name]):
            signals[name] = np.where(between_shots(shots, len(seconds)), np.nan, signals[name])
    rows = tuple(_row(*each, signals, x_of, [(places[c], m, s) for c, m, s in scores], rules) for each in ROWS)
    about = f"{len(shots)} shot{'' if len(shots) == 1 else 's'}, {len(clips)} clip{'' if len(clips) == 1 else 's'}"
    return Track(Path(uri or video_id).name, video_id, round(end - start, 2), about, cuts, spans, gradual, rows)


def _clip_span(clip: dict, x_of) -> Span:
    x = x_of(clip["start_s"])
    why = ": ".join(filter(None, (clip["reason"], clip["detail"] or clip["error"])))
    words = f"{clip['state']}{', ' + why if why else ''}; {clip['start_s']:.2f} to {clip['start_s'] + clip['duration_s']:.2f} s"
    return Span(
        x,
        round(x_of(clip["start_s"] + clip["duration_s"]) - x, 1),
        clip["state"],
        words,
        clip["clip_id"],
        clip["reason"] or clip["state"],
    )


def _transition(shot: dict, at: float, seconds: np.ndarray, x_of) -> Span:
    end = seconds[min(shot["start_frame"] + shot["transition_frames"], len(seconds) - 1)]
    return Span(
        x_of(at),
        round(x_of(end) - x_of(at), 1),
        "transition",
        f"{shot['transition']}, {shot['transition_frames']} frames",
    )


def _row(name: str, label: str, signals: dict, x_of, scores: list[tuple[Span, str, float]], rules: list[dict]) -> Row:
    values = np.asarray(signals[name], np.float64)
    known = np.flatnonzero(np.isfinite(values))
    own = [each for each in scores if OF_METRIC[each[1]] == name]
    ruling = [rule for rule in rules if OF_METRIC.get(rule["metric"]) == name]
    shown = [*values[known], *(score for _, _, score in own)]
    low, high = min([0.0, *shown]), max([*shown, 1e-9])
    top = 4 * high  # a bound far above is said in the funnel, not drawn: it would flatten all the rest
    bounds = [(rule["min"], rule["bound"]) for rule in ruling if rule["min"] is not None]
    bounds += [(rule["max"], rule["bound"]) for rule in ruling if rule["max"] is not None and rule["max"] <= top]
    high = max([high, *(bound for bound, _ in bounds)])

    def y_of(value: float) -> float:
        return round(ROW_HEIGHT - 3 - (value - low) / (high - low) * (ROW_HEIGHT - HEAD - 3), 1)

    known = _peaks(values, known)
    points = " ".join(f"{x_of(float(signals['pts_s'][place]))},{y_of(values[place])}" for place in known)
    levels = tuple(Level(span.x, span.width, y_of(score), f"{metric} = {score:.4g}") for span, metric, score in own)
    lines = tuple(Level(0, WIDTH, y_of(bound), words) for bound, words in bounds)
    return Row(label, points, low, high, levels, lines)


def _peaks(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The highest place of each stretch, where there are more than can be drawn."""
    if len(known) <= POINTS:
        return known
    stretches = np.array_split(known, POINTS)
    return np.array([stretch[np.argmax(values[stretch])] for stretch in stretches])
