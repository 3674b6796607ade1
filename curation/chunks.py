"""A long video measured in chunks that begin at key frames, on several machines at once, with the result of one pass.

A chunk decodes some frames more on either side than are its own, as many as what is found in it can depend on. So neighbours see the same
frames: they must agree on each one's number, timestamp and picture. Where they do not (damage, a container whose index lies), the chunks
are not joined, and the video is measured in one pass. Numbers of frames come from the packets' timestamps, without decoding.
"""

import zlib
from bisect import bisect_left, bisect_right
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from curation.cuts.finder import CONTEXT_FRAMES, Transition, find_transitions, stride_of, tidy
from curation.cuts.pictures import tiny_picture
from curation.measure import FramePass, Measured
from curation.shots import CutConfig, own_cuts
from moviegen.media.container import OpenVideo
from moviegen.media.limits import MediaLimits
from moviegen.media.read import open_video


class ChunkMismatchError(Exception):
    """Two chunks disagree on the frames that both have seen."""


@dataclass(frozen=True)
class Chunk:
    """Frames `start_frame .. end_frame - 1` of a video, and where decoding begins for them."""

    number: int
    start_frame: int
    end_frame: int
    seek_frame: int
    """Number of the key frame that decoding begins at, `CONTEXT_FRAMES` before `start_frame` or more."""
    seek_pts: int | None
    """Its timestamp; None: the video's beginning."""


def plan_chunks(uri: str, chunk_s: float, fps: Fraction, limits: MediaLimits | None = None) -> list[Chunk]:
    """Chunks of about `chunk_s` seconds that begin at key frames; fewer than two where the video is too short or cannot be sought in.

    Reads all packets, decodes one frame.
    """
    with open_video(Path(uri), limits) as video:
        if not video.is_seekable:
            return []
        stamps, keys = _packets(video)
        time_base = video.time_base
    if len(stamps) < 2 or None in stamps or len(set(stamps)) < len(stamps):
        return []
    stamps.sort()
    wanted = np.arange(
        stamps[0] + chunk_s / time_base, stamps[-1] - chunk_s / (2 * time_base), float(chunk_s / time_base)
    )
    starts = [0]
    for stamp in wanted:
        place = bisect_left(keys, stamp)
        if place < len(keys) and (number := bisect_left(stamps, keys[place])) > starts[-1]:
            starts.append(number)
    context = CONTEXT_FRAMES * stride_of(float(fps))
    chunks = []
    for number, (start, end) in enumerate(pairwise([*starts, len(stamps)])):
        place = bisect_right(keys, stamps[max(0, start - context)]) - 1
        seek = bisect_left(stamps, keys[place]) if place >= 0 and start > context else 0
        chunks.append(Chunk(number, start, end, seek, stamps[seek] if seek else None))
    return chunks


def plan_chunks_json(uri: str, chunk_s: float, fps: list[int]) -> list[dict]:
    """`plan_chunks` with plain values only, for `moviegen.media.worker`."""
    return [asdict(chunk) for chunk in plan_chunks(uri, chunk_s, Fraction(*fps))]


def _packets(video: OpenVideo) -> tuple[list[int | None], list[int]]:
    """Timestamps of the video's packets that are shown, and in order those of its key frames."""
    video.container.seek(video.start_pts, stream=video.stream, backward=True)
    stamps, keys = [], []
    for packet in video.container.demux(video.stream):
        if packet.size == 0 or packet.is_discard:
            continue
        stamps.append(packet.pts)
        if packet.is_keyframe and packet.pts is not None:
            keys.append(packet.pts)
    return stamps, sorted(keys)


class _Pictures:
    """Keeps the tiny pictures of frames."""

    def __init__(self) -> None:
        self.pictures: list[np.ndarray] = []

    def add(self, picture: np.ndarray, score: float) -> None:
        self.pictures.append(tiny_picture(picture))


def measure_chunk(uri: str, chunk: dict, is_last: bool, cuts: dict, fps: list[int]) -> dict:
    """What one chunk gives, as plain values for `moviegen.media.worker`: `chunk` and `cuts` are `asdict` of their records."""
    wanted, rate = Chunk(**chunk), Fraction(*fps)
    context = CONTEXT_FRAMES * stride_of(float(rate))
    pictures = _Pictures()
    marks: list[tuple[int, int]] = []
    with open_video(Path(uri), None, motion_vectors=True) as video:
        if wanted.seek_pts is not None:
            video.seek(wanted.seek_pts)
        frames = FramePass(video, CutConfig(**cuts), rate, pictures, wanted.seek_frame)
        for timed in video.frames():
            # what a key frame leads in is shown before it, and is whole only for who comes from further back
            if wanted.seek_pts is not None and timed.pts < wanted.seek_pts:
                continue
            if not is_last and wanted.seek_frame + len(marks) >= wanted.end_frame + context:
                break
            planes = frames.add(timed)
            marks.append((timed.pts, zlib.crc32(np.ascontiguousarray(planes.small))))
    own = slice(wanted.start_frame - wanted.seek_frame, wanted.end_frame - wanted.seek_frame)
    stop = None if is_last else own.stop
    return {
        "chunk": asdict(wanted),
        "is_last": is_last,
        "marks": marks,
        "end_pts": frames.end_pts,
        "time_base": [video.time_base.numerator, video.time_base.denominator],
        "size": video.display_size,
        "columns": {name: values[own.start : stop] for name, values in frames.meter.columns().items()},
        "transitions": _transitions(np.stack(pictures.pictures), wanted, is_last, rate),
    }


def _transitions(pictures: np.ndarray, chunk: Chunk, is_last: bool, fps: Fraction) -> list[tuple[int, int, str]]:
    """Transitions that start in the chunk's own frames, numbered as the video's frames are."""
    stride = stride_of(float(fps))
    spare = -chunk.seek_frame % stride
    first = chunk.seek_frame + spare
    found = [(each.start + first, each.end + first, each.kind) for each in find_transitions(pictures[spare:], stride)]
    return [each for each in found if chunk.start_frame <= each[0] and (is_last or each[0] < chunk.end_frame)]


def join_chunks(found: list[dict], config: CutConfig) -> Measured:
    """The whole video of its chunks, in order. Raises ChunkMismatchError when neighbours have not seen the same."""
    for before, after in pairwise(found):
        _check_neighbours(before, after)
    columns = {name: [value for each in found for value in each["columns"][name]] for name in found[0]["columns"]}
    columns["motion_vector"] = _join_vectors(found)
    transitions = tidy([Transition(*each) for one in found for each in one["transitions"]])
    cuts = own_cuts(transitions, columns["cut_score"], config.min_shot_frames)
    return Measured([int(stamp) for stamp in columns["pts"]], found[-1]["end_pts"], columns, cuts)


def _check_neighbours(before: dict, after: dict) -> None:
    first, second = Chunk(**before["chunk"]), Chunk(**after["chunk"])
    end = first.seek_frame + len(before["marks"])
    ours = before["marks"][second.seek_frame - first.seek_frame :]
    theirs = after["marks"][: end - second.seek_frame]
    if not ours or [tuple(mark) for mark in ours] != [tuple(mark) for mark in theirs]:
        raise ChunkMismatchError(
            f"chunks {first.number} and {second.number} have not seen the same frames {second.seek_frame}..{end - 1}"
        )


def _join_vectors(found: list[dict]) -> list[float]:
    """Vector lengths of all frames: NaN in chunks without any, empty where none has any."""
    if not any(each["columns"]["motion_vector"] for each in found):
        return []
    return [
        value
        for each in found
        for value in each["columns"]["motion_vector"] or [float("nan")] * len(each["columns"]["pts"])
    ]
