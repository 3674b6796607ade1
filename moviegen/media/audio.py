"""Sound of a file as samples. `C` channels, `N` samples."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .container import MAX_JUMP_BACK_S
from .demux import SEEKABLE_FORMATS, choose_audio_stream, decode_packets, open_container, source_name
from .joined import joined_shifts
from .limits import AUDIO_FORMATS, VIDEO_FORMATS, MediaError, MediaLimits, UnreadableMediaError

SEEK_MARGIN_S = 1.0
"""Seconds before the wanted ones that are decoded too after a seek."""

MAX_GAP_S = 0.05
"""Timestamps off by more than this are a hole or a jump; by less, rounding of the container's clock."""


MAX_PLANES = 8
"""Channels that PyAV 18.1 can take from a frame of one plane a channel; with more it crashes. Such sound is fetched interleaved."""


class NoAudioError(MediaError):
    """The file has no audio stream."""


@dataclass(frozen=True)
class Sound:
    """Samples with what is needed to measure them."""

    samples: np.ndarray = field(repr=False)
    """(C, N) float32; full scale is 1, a lossy codec goes beyond."""
    sample_rate: int
    """Hz."""
    layout: str
    """Which channels these are, in FFmpeg's words: `mono`, `stereo`, `5.1`."""


def read_audio(
    source: Path | bytes,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    sample_rate: int = 48000,
    mono: bool = True,
    limits: MediaLimits | None = None,
) -> np.ndarray:
    """(C, N) float32 in -1..1 of the audio stream a player plays from `start_s` to `end_s` (or its end), C = 1 when mono, else 2.

    Seconds are on the file's own clock, that of the video's timestamps, so that sound and picture of a span belong together: where the
    sound starts later or has a hole there is silence. With `end_s`, N = round((end_s - start_s) * sample_rate) always.
    Raises NoAudioError when there is no audio stream, UnreadableMediaError when it does not decode.
    """
    span = {"start_s": start_s, "end_s": end_s, "limits": limits}
    return read_sound(source, sample_rate=sample_rate, layout="mono" if mono else "stereo", **span).samples


def read_sound(
    source: Path | bytes,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    sample_rate: int | None = None,
    layout: str | None = None,
    limits: MediaLimits | None = None,
) -> Sound:
    """The sound of a span, as `read_audio` says; a rate or layout of None is the file's own, so that nothing is resampled or mixed."""
    if end_s is not None and end_s < start_s:
        raise ValueError(f"end_s {end_s} is before start_s {start_s}")
    limits = limits or MediaLimits(formats=(*VIDEO_FORMATS, *AUDIO_FORMATS))
    name = source_name(source)
    with open_container(source if isinstance(source, bytes) else Path(source), limits) as container:
        stream = _audio_stream(name, container)
        sample_rate = sample_rate or stream.codec_context.sample_rate
        layout = layout or _own_layout(stream.codec_context.layout)
        stop_s = start_s + limits.max_duration_s if end_s is None else end_s
        _seek_before(container, stream, start_s)
        frames = decode_packets(name, container, stream, limits)
        timed = _on_one_timeline(frames, lambda: joined_shifts(source, limits))
        pieces = list(_pieces(timed, start_s, stop_s, sample_rate, layout))
    num_samples = None if end_s is None else round((end_s - start_s) * sample_rate)
    samples = _lay(pieces, _num_channels(layout), num_samples)
    if not np.isfinite(samples).all():
        raise UnreadableMediaError(f"{name}: its sound has samples that are no finite numbers")
    return Sound(samples, sample_rate, layout)


def resample(sound: Sound, sample_rate: int) -> Sound:
    """The sound at another rate, N scaled with it and rounded; the same sound where it is at that rate already."""
    import av

    if sound.sample_rate == sample_rate:
        return sound
    interleaved = np.ascontiguousarray(sound.samples.T, np.float32).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=sound.layout)
    frame.sample_rate = sound.sample_rate
    resampler = av.AudioResampler(format="flt", layout=sound.layout, rate=sample_rate)
    pieces = list(_laid_out([*resampler.resample(frame), *resampler.resample(None)], 0))
    num_samples = round(sound.samples.shape[1] * sample_rate / sound.sample_rate)
    return Sound(_lay(pieces, sound.samples.shape[0], num_samples), sample_rate, sound.layout)


def _audio_stream(name: str, container: Any) -> Any:
    stream = choose_audio_stream(container)
    if stream is None:
        raise NoAudioError(f"{name}: has no audio stream")
    if stream.codec_context is None:
        raise UnreadableMediaError(f"{name}: no decoder for its audio stream")
    if not stream.codec_context.sample_rate or not stream.codec_context.layout.nb_channels:
        raise UnreadableMediaError(f"{name}: no sample rate or no channels in the header of its audio stream")
    return stream


def _own_layout(layout: Any) -> str:
    """The layout's name; files that only count their channels (old WAV) mean mono or stereo by one or two."""
    is_counted = layout.name.endswith(" channels")
    return {1: "mono", 2: "stereo"}.get(layout.nb_channels, layout.name) if is_counted else layout.name


def _num_channels(layout: str) -> int:
    import av

    return av.AudioLayout(layout).nb_channels


def _seek_before(container: Any, stream: Any, start_s: float) -> None:
    """Goes to a little before `start_s`, so that a codec's overlap is past when the first wanted sample comes."""
    if start_s > SEEK_MARGIN_S and container.format.name.split(",")[0] in SEEKABLE_FORMATS:
        container.seek(round((start_s - SEEK_MARGIN_S) / stream.time_base), stream=stream, backward=True)


def _on_one_timeline(frames: Iterable[Any], shifts: Callable[[], list[float]]) -> Iterator[tuple[float | None, Any]]:
    """(seconds, frame): where the timestamps begin again, they go on as those of the pictures do."""
    recording, shift_s, last_s = 0, 0.0, None
    for frame in frames:
        time_s = None if frame.time is None else float(frame.time)
        if time_s is not None:
            if last_s is not None and time_s < last_s - MAX_JUMP_BACK_S:
                recording, moved_s = recording + 1, shifts()
                # pictures that do not jump: the sound alone stumbles, and its clock is still theirs
                shift_s = moved_s[min(recording, len(moved_s) - 1)] if moved_s else last_s + shift_s - time_s
            last_s = time_s
        yield (None if time_s is None else time_s + shift_s), frame


def _pieces(
    frames: Iterable[tuple[float | None, Any]], start_s: float, stop_s: float, sample_rate: int, layout: str
) -> Iterator[tuple[int, np.ndarray]]:
    """(place of the first sample counted from `start_s`, samples (C, n)), resampled; each gap or step back begins a new run."""
    import av

    sample_format = "fltp" if _num_channels(layout) <= MAX_PLANES else "flt"
    resampler, place, expected_s, last_s = None, 0, 0.0, 0.0
    for stamp_s, frame in frames:
        time_s = expected_s if stamp_s is None else stamp_s
        if time_s >= stop_s:
            break
        if resampler is None or abs(time_s - expected_s) > MAX_GAP_S or time_s < last_s:
            if resampler is not None:
                yield from _laid_out(resampler.resample(None), place)
            resampler = av.AudioResampler(format=sample_format, layout=layout, rate=sample_rate)
            place = round((time_s - start_s) * sample_rate)
        for at, samples in _laid_out(resampler.resample(frame), place):
            yield at, samples
            place = at + samples.shape[1]
        last_s, expected_s = time_s, time_s + frame.samples / frame.sample_rate
    if resampler is not None:
        yield from _laid_out(resampler.resample(None), place)


def _laid_out(frames: Iterable[Any], place: int) -> Iterator[tuple[int, np.ndarray]]:
    for frame in frames:
        samples = frame.to_ndarray() if frame.format.is_planar else frame.to_ndarray().reshape(frame.samples, -1).T
        yield place, samples
        place += samples.shape[1]


def _lay(pieces: list[tuple[int, np.ndarray]], channels: int, num_samples: int | None) -> np.ndarray:
    """The pieces at their places on silence; `num_samples` None: to the end of the last piece."""
    end = (
        max((place + samples.shape[1] for place, samples in pieces), default=0) if num_samples is None else num_samples
    )
    out = np.zeros((channels, max(0, end)), np.float32)
    for place, samples in pieces:
        low, high = max(place, 0), min(place + samples.shape[1], out.shape[1])
        if high > low:
            out[:, low:high] = samples[:, low - place : high - place]
    return out
