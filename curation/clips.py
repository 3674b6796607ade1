"""One decode of a source: shots, per-frame signals, and the clips to take from the shots.

A clip is a span inside one shot on the raw file; no intermediate file is written. Everything goes in and out as plain JSON values, so
that the pass runs inside `moviegen.media.worker`.
"""

import math
import random
from bisect import bisect_left, bisect_right
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from curation.measure import Measured, measure
from curation.shots import CutConfig, shot_rows
from curation.signals.borders import SIDES, typical_border
from curation.signals.table import signal_rows
from moviegen.contracts.clip import clip_id_of, hash_id
from moviegen.media.limits import MediaLimits
from moviegen.media.probe import MediaProbe, probe
from moviegen.media.read import open_video

SPLIT_VERSION = 7
"""Raised when the same source and config give other rows than before."""

POLICIES = ("one_per_shot", "tile")
"""`one_per_shot`: one clip a shot, at random where the shot is longer than a clip [S App B.1]; `tile`: the whole shot in equal clips."""


@dataclass(frozen=True)
class SplitConfig:
    """How a source becomes clips."""

    cuts: CutConfig = field(default_factory=CutConfig)
    """How shots are found."""
    min_clip_s: float = 4.0
    """Shortest clip, seconds [S §3.2.1]."""
    max_clip_s: float = 16.0
    """Longest clip, seconds [S §3.2.1]."""
    start_trim_s: float = 2.0
    """Seconds at the start of the video that no clip takes. The paper says "the first few seconds"; 2 is our decision."""
    policy: str = "one_per_shot"
    """`one_per_shot` or `tile`."""
    max_long_shots: int | None = 2
    """At most so many shots longer than `max_clip_s` are taken of a video, at random (the paper takes 1-2 [S App B.1]); None: all."""

    crop_borders: bool = False
    """Clips are cropped to what lies inside steady black borders, instead of being left to the rule that rejects them."""

    def __post_init__(self) -> None:
        if not 0 < self.min_clip_s <= self.max_clip_s:
            raise ValueError(f"split: wanted 0 < min_clip_s <= max_clip_s, got {self.min_clip_s} and {self.max_clip_s}")
        if self.start_trim_s < 0:
            raise ValueError(f"split.start_trim_s is {self.start_trim_s}, wanted 0 or more")
        if self.policy not in POLICIES:
            raise ValueError(f"split.policy: {self.policy!r} is not one of {', '.join(POLICIES)}")
        if self.max_long_shots is not None and self.max_long_shots < 0:
            raise ValueError(f"split.max_long_shots is {self.max_long_shots}, wanted 0 or more, or null")


@dataclass(frozen=True)
class SplitResult:
    """Rows of the tables `shots`, `signals` and `clips` for one video."""

    shots: list[dict]
    signals: list[dict]
    clips: list[dict]


def splitter_hash(config: SplitConfig) -> str:
    """Hash of the splitter's version and settings: part of a clip's id."""
    return hash_id("split", SPLIT_VERSION, asdict(config))


def split_video(uri: str, video_id: str, config: SplitConfig, limits: MediaLimits | None = None) -> SplitResult:
    """Shots, signals and clips of a file, in one decode. Raises MediaError when the file cannot be read to its end."""
    about = probe(Path(uri), limits)
    with open_video(Path(uri), limits, motion_vectors=True) as video:
        return split_measured(measure(video, config.cuts, about.fps), about, video_id, config)


@dataclass(frozen=True)
class VideoShape:
    """What clips take over from their video."""

    time_base: Fraction
    """Seconds per timestamp unit."""
    fps: Fraction
    """Average frame rate."""
    width: int
    """As displayed, px."""
    height: int


def split_measured(
    measured: Measured, about: VideoShape | MediaProbe, video_id: str, config: SplitConfig
) -> SplitResult:
    """The rows of a video that has been measured."""
    pts, end_pts = measured.pts, measured.end_pts
    shots = shot_rows(video_id, measured.cuts, pts, end_pts)
    spans = plan_clips(shots, pts, end_pts, about.time_base, video_id, config)
    clips = [_clip_row(video_id, span, pts, end_pts, about, splitter_hash(config)) for span in spans]
    if config.crop_borders:
        clips = [_cropped(clip, measured.columns) for clip in clips]
    return SplitResult(shots, signal_rows(video_id, measured.columns), clips)


def split_video_json(uri: str, video_id: str, config: dict) -> dict:
    """`split_video` with plain values only, for `moviegen.media.worker`: config and result are `asdict` of their records."""
    return asdict(split_video(uri, video_id, split_config(config)))


def split_config(config: dict) -> SplitConfig:
    """The inverse of `asdict`."""
    return SplitConfig(**{**config, "cuts": CutConfig(**config.get("cuts", {}))})


@dataclass(frozen=True)
class ClipSpan:
    """Frames `start .. end - 1` of a video, inside one shot."""

    shot: int
    start: int
    end: int


def plan_clips(
    shots: list[dict], pts: list[int], end_pts: int, time_base: Fraction, video_id: str, config: SplitConfig
) -> list[ClipSpan]:
    """The clips to take from a video's shots: the same video and config give the same clips.

    `pts` are the timestamps of all frames in order, `end_pts` lies after the last; a clip's frames are those of
    `[pts[start], pts[end])`.
    """
    grid = [*pts, end_pts]
    shortest, longest = (Fraction(s) / time_base for s in (config.min_clip_s, config.max_clip_s))
    first = bisect_left(grid, grid[0] + Fraction(config.start_trim_s) / time_base)
    spans = []
    for row in shots:
        end = row["start_frame"] + row["num_frames"]
        start = max(row["start_frame"] + row["transition_frames"], min(first, end))
        if grid[end] - grid[start] >= shortest:
            spans.append(ClipSpan(row["shot"], start, end))
    spans = _limit_long(spans, grid, longest, video_id, config.max_long_shots)
    if config.policy == "tile":
        return [clip for span in spans for clip in _tile(span, grid, shortest, longest)]
    chosen = [_one_of(span, grid, longest, video_id) for span in spans]
    # a stretch of frames that each last longer than a clip may holds too few of them, or none
    return [span for span in chosen if grid[span.end] - grid[span.start] >= shortest]


def _limit_long(
    spans: list[ClipSpan], grid: list[int], longest: Fraction, video_id: str, most: int | None
) -> list[ClipSpan]:
    """The spans without those longer than a clip that are too many, chosen at random by the video's id."""
    long = [span for span in spans if grid[span.end] - grid[span.start] > longest]
    if most is None or len(long) <= most:
        return spans
    kept = set(_random(video_id, "long shots").sample(long, most))
    return [span for span in spans if span not in long or span in kept]


def _one_of(span: ClipSpan, grid: list[int], longest: Fraction, video_id: str) -> ClipSpan:
    """The span itself, or a random stretch of it that is as long as a clip may be."""
    if grid[span.end] - grid[span.start] <= longest:
        return span
    last = bisect_right(grid, grid[span.end] - longest, span.start, span.end) - 1
    start = _random(video_id, span.shot).randint(span.start, max(span.start, last))
    return ClipSpan(span.shot, start, bisect_right(grid, grid[start] + longest, start, span.end + 1) - 1)


def _tile(span: ClipSpan, grid: list[int], shortest: Fraction, longest: Fraction) -> list[ClipSpan]:
    """The span in as few equal clips as fit; clips that come out too short are left out."""
    length = grid[span.end] - grid[span.start]
    number = max(1, math.ceil(length / longest))
    while True:
        marks = [grid[span.start] + Fraction(length * i, number) for i in range(number)]
        edges = [*(bisect_left(grid, mark, span.start, span.end) for mark in marks), span.end]
        if number >= span.end - span.start or all(grid[b] - grid[a] <= longest for a, b in pairwise(edges)):
            break
        number += 1
    tiles = [ClipSpan(span.shot, a, b) for a, b in pairwise(edges)]
    return [tile for tile in tiles if shortest <= grid[tile.end] - grid[tile.start] <= longest]


def _random(*seed: object) -> random.Random:
    return random.Random(int(hash_id(*seed), 16))


def _clip_row(
    video_id: str, span: ClipSpan, pts: list[int], end_pts: int, about: VideoShape | MediaProbe, splitter: str
) -> dict:
    start, end = pts[span.start], pts[span.end] if span.end < len(pts) else end_pts
    return {
        "clip_id": clip_id_of(video_id, start, end, splitter),
        "video_id": video_id,
        "shot": span.shot,
        "start_pts": start,
        "end_pts": end,
        "tb_num": about.time_base.numerator,
        "tb_den": about.time_base.denominator,
        "start_frame": span.start,
        "num_frames": span.end - span.start,
        "fps_num": about.fps.numerator,
        "fps_den": about.fps.denominator,
        "width": about.width,
        "height": about.height,
        **dict.fromkeys(CROPS, 0),
    }


CROPS = tuple(f"crop_{side}" for side in SIDES)

MIN_CROPPED = 0.5
"""Share of the picture that must be left: what seems all border is a dark shot."""


def _cropped(clip: dict, columns: dict[str, list[float]]) -> dict:
    """The clip's row without its borders, in whole pairs of pixels so that no border is left."""
    span = slice(clip["start_frame"], clip["start_frame"] + clip["num_frames"])
    borders = [typical_border(np.asarray(columns[f"border_{side}"][span], np.float32)) for side in SIDES]
    top, bottom, left, right = (math.ceil(border / 2) * 2 for border in borders)
    width, height = clip["width"] - left - right, clip["height"] - top - bottom
    if width <= 0 or height <= 0 or width * height < MIN_CROPPED * clip["width"] * clip["height"]:
        return clip
    return {**clip, "width": width, "height": height, **dict(zip(CROPS, (top, bottom, left, right), strict=True))}
