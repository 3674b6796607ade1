"""How loud decoded samples are: as people hear it, ITU-R BS.1770 by FFmpeg's ebur128 filter; and the level of short windows."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from .audio import Sound

FLOOR_LUFS = -70.0
"""BS.1770's absolute gate: blocks below it do not count. The filter answers with it while no block has counted."""

FULL_SCALE = 32767 / 32768
"""The largest sample that 16 bits can hold; what is at or over it has been clipped, or will be when played."""

WINDOW_S = 0.05
"""Silence is judged in windows of this many seconds: longer than a period of the lowest tone, shorter than a pause between words."""


def integrated_loudness(sound: Sound) -> float | None:
    """LUFS of the whole sound, gated; None where no block of 400 ms is above the gate of -70 LUFS: silence, or a shorter sound."""
    import av.filter

    graph = av.filter.Graph()
    source = graph.add_abuffer(
        format="flt", sample_rate=sound.sample_rate, layout=sound.layout, time_base=Fraction(1, sound.sample_rate)
    )
    meter, sink = graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    loudness = FLOOR_LUFS
    for frame in _frames(sound):
        source.push(frame)
        for measured in _pulled(sink):
            loudness = float(measured.metadata.get("lavfi.r128.I", loudness))  # the last piece, under 100 ms, has none
    return None if loudness <= FLOOR_LUFS else loudness


def _frames(sound: Sound) -> Iterator[Any]:
    """A second at a time, then None: the end."""
    import av

    for start in range(0, sound.samples.shape[1], sound.sample_rate):
        samples = sound.samples[:, start : start + sound.sample_rate].T.reshape(1, -1)  # interleaved
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout=sound.layout)
        frame.sample_rate, frame.pts, frame.time_base = sound.sample_rate, start, Fraction(1, sound.sample_rate)
        yield frame
    yield None


def _pulled(sink: Any) -> Iterator[Any]:
    import av

    while True:
        try:
            yield sink.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def window_levels(samples: np.ndarray, length: int) -> np.ndarray:
    """(windows,) RMS of each whole window of `length` samples in its loudest channel; one window where (C, N) is shorter."""
    length = max(1, min(length, samples.shape[1]))
    whole = samples[:, : samples.shape[1] // length * length]
    return np.sqrt(np.mean(np.square(whole).reshape(len(whole), -1, length), axis=2)).max(axis=0)
