"""How a clip changes by itself: flicker, motion, frames that repeat. And when its pictures jump, for the sound to be beside.

`T` frames, `H W` rows and columns; frames are (T, H, W, 3), 8-bit RGB.
"""

import itertools
from fractions import Fraction

import numpy as np

REPEATED_LEVELS = 0.25
"""A frame repeats the one before when its pixels differ by less than this many 8-bit levels on average: an encoder's noise."""

PEAK_TIMES = 4.0
"""The pictures jump where they change by this many times the clip's median change; our decision."""

PEAK_LEVELS = 1.0
"""And by this many 8-bit levels at least."""


def changes(frames: np.ndarray) -> np.ndarray:
    """(T - 1,) mean absolute change from each frame to the next, in 8-bit levels."""
    return np.array([np.abs(b.astype(np.int16) - a).mean() for a, b in itertools.pairwise(frames)])


def flicker(frames: np.ndarray) -> float | None:
    """Mean change of a pixel from frame to frame; None of a single frame. VBench's temporal flickering is 1 - this / 255."""
    found = changes(frames)
    return float(found.mean()) if len(found) else None


def frozen(frames: np.ndarray) -> float | None:
    """Share of frames, but for the first, that repeat the one before; None of a single frame."""
    found = changes(frames)
    return float((found < REPEATED_LEVELS).mean()) if len(found) else None


def vmaf_motion(frames: np.ndarray) -> float | None:
    """VMAF's motion, mean over frames as ffmpeg averages it (the first has none); None of a single frame."""
    import av
    import av.filter

    if len(frames) < 2:
        return None
    height, width = frames.shape[1:3]
    graph = av.filter.Graph()
    source = graph.add_buffer(width=width, height=height, format="gray", time_base=Fraction(1, 24))
    meter, sink = graph.add("vmafmotion"), graph.add("buffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    total = 0.0
    for number, image in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="gray")
        frame.pts, frame.time_base = number, Fraction(1, 24)
        source.push(frame)
        total += float(sink.pull().metadata["lavfi.vmafmotion.score"])
    return total / len(frames)


def jump_times(frames: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(n,) seconds at which the pictures jump: a cut, a flash, a stroke. Peaks of the change between frames, shown at `times` (T,)."""
    found = changes(frames)
    if not len(found):
        return np.empty(0)
    around = np.concatenate([[0.0], found, [0.0]])
    is_peak = (found > around[:-2]) & (found >= around[2:])
    is_large = found >= max(PEAK_TIMES * float(np.median(found)), PEAK_LEVELS)
    return times[1:][is_peak & is_large]
