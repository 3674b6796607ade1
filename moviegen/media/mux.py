"""Pictures of one file and sound of another, or new sound, in one file: packets are copied where they can be, nothing is decoded twice.

Meant to run in the guarded worker (`mux_films`). The same input gives the same bytes: no dates, no program names.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from .audio import NoAudioError
from .container import choose_video_stream
from .demux import choose_audio_stream, demux_packets, open_container
from .limits import AUDIO_FORMATS, VIDEO_FORMATS, MediaError, MediaLimits
from .write import AUDIO_BITS_PER_CHANNEL

CONTAINERS = {".mp4": "mp4", ".mkv": "matroska"}

MP4_VIDEO = ("h264", "hevc", "av1", "vp9", "mpeg4")
"""Codecs whose packets players expect in an mp4; Matroska takes any."""

MP4_AUDIO = ("aac", "mp3", "ac3", "eac3", "alac", "opus")

MUX_TIMEOUT_S = 3600.0

FRAME_SAMPLES = 1024
"""Samples of an AAC packet."""

Timed = tuple[Fraction, int, Any]
"""(seconds, number of the stream, packet)."""


class MuxError(MediaError):
    """Streams that do not go into one file."""


def mux_films(picture: Path, out: Path, **options: Any) -> None:
    """`mux` in the guarded worker."""
    from .worker import guarded_call

    guarded_call(mux, Path(picture), Path(out), timeout_s=MUX_TIMEOUT_S, **options)


def mux(
    picture: Path,
    out: Path,
    *,
    samples: Path | None = None,
    sample_rate: int = 48000,
    channels: int = 1,
    sound_from: Path | None = None,
    container: str = "mp4",
    tags: Mapping[str, str] | None = None,
) -> None:
    """Writes `out`: the pictures of a file, copied, with the sound of raw float32 `samples`, or of another file, copied too.

    `samples` holds interleaved channels that begin with the first picture; they are encoded as AAC. A sound of `sound_from` that an
    mp4 does not take is encoded as AAC too. Raises MuxError when the pictures cannot be copied.
    """
    import av

    limits = MediaLimits(formats=(*VIDEO_FORMATS, *AUDIO_FORMATS))
    options = {"fflags": "+bitexact", **({"movflags": "+faststart"} if container == "mp4" else {})}
    with open_container(picture, limits) as source, av.open(str(out), "w", format=container, options=options) as target:
        target.metadata.update(dict(tags or {}))
        stream = choose_video_stream(str(picture), source)
        codec = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
        if container == "mp4" and codec not in MP4_VIDEO:
            raise MuxError(f"{picture}: its pictures are {codec}, which goes into no mp4; name the output .mkv")
        copy = target.add_stream_from_template(stream, opaque=True)
        start_s = _start_s(source, stream)
        tracks = [_copied(str(picture), source, stream, copy, start_s, 0)]
        if samples is not None:
            tracks.append(_encoded(target, raw_pieces(samples, channels), sample_rate, channels))
            _write(target, tracks)
        elif sound_from is not None:
            with open_container(sound_from, limits) as other:
                tracks.append(_other_sound(str(sound_from), other, target, container))
                _write(target, tracks)
        else:
            _write(target, tracks)


def _write(target: Any, tracks: list[Iterator[Timed]]) -> None:
    """All packets, in the order of time."""
    for _, _, packet in heapq.merge(*tracks, key=lambda row: row[:2]):
        target.mux(packet)


def _start_s(source: Any, stream: Any) -> Fraction:
    """Time of the first picture that is shown: the earliest presentation time, not the first packet's."""
    return Fraction(stream.start_time * stream.time_base) if stream.start_time is not None else Fraction(0)


def _copied(name: str, source: Any, stream: Any, copy: Any, start_s: Fraction, number: int) -> Iterator[Timed]:
    """The stream's packets, `start_s` earlier."""
    shift, time = round(start_s / stream.time_base), Fraction(0)
    for packet in demux_packets(name, source, stream):
        if not packet.size:
            continue
        if packet.pts is not None:
            packet.pts -= shift
        if packet.dts is not None:
            packet.dts -= shift
            time = Fraction(packet.dts * stream.time_base)
        packet.stream = copy
        yield time, number, packet


def _other_sound(name: str, other: Any, target: Any, container: str) -> Iterator[Timed]:
    """The sound of an open file beside its own pictures, from its first picture on."""
    stream = choose_audio_stream(other)
    if stream is None or stream.codec_context is None:
        raise NoAudioError(f"{name}: has no sound that can be read")
    start_s = _start_s(other, choose_video_stream(name, other))
    if container != "mp4" or stream.codec_context.codec.canonical_name in MP4_AUDIO:
        return _copied(name, other, stream, target.add_stream_from_template(stream, opaque=True), start_s, 1)
    rate, channels = stream.codec_context.sample_rate, min(2, stream.codec_context.layout.nb_channels)
    return _encoded(target, _decoded(name, other, stream, start_s, channels), rate, channels)


def _decoded(name: str, other: Any, stream: Any, start_s: Fraction, channels: int) -> Iterator[np.ndarray]:
    """Samples (C, n) from `start_s` on; silence before the first of them."""
    import av

    from .demux import decode_packets

    resampler = av.AudioResampler(
        format="fltp", layout="stereo" if channels == 2 else "mono", rate=stream.codec_context.sample_rate
    )
    skip: int | None = None
    for frame in decode_packets(name, other, stream, MediaLimits()):
        for part in resampler.resample(frame):
            samples = part.to_ndarray()
            if skip is None:
                late_s = (Fraction(frame.pts * frame.time_base) if frame.pts is not None else start_s) - start_s
                late = round(late_s * part.sample_rate)
                skip = max(0, -late)
                if late > 0:
                    yield np.zeros((channels, late), np.float32)
            kept = samples[:, skip:]
            skip -= samples.shape[1] - kept.shape[1]
            if kept.shape[1]:
                yield kept


def raw_pieces(path: Path, channels: int, piece: int = 1 << 18) -> Iterator[np.ndarray]:
    """Samples (C, n) of a file of interleaved float32."""
    with open(path, "rb") as file:
        while content := file.read(4 * channels * piece):
            yield np.frombuffer(content, np.float32).reshape(-1, channels).T


def _encoded(target: Any, pieces: Iterable[np.ndarray], sample_rate: int, channels: int) -> Iterator[Timed]:
    """AAC packets of samples (C, n)."""
    layout = {1: "mono", 2: "stereo"}[channels]
    stream = target.add_stream("aac", rate=sample_rate, layout=layout)
    stream.bit_rate = AUDIO_BITS_PER_CHANNEL * channels
    stream.codec_context.flags |= _bitexact()
    return _aac_packets(stream, _regrouped(pieces, FRAME_SAMPLES), sample_rate, layout)


def _bitexact() -> int:
    from av.codec.context import Flags

    return int(Flags.bitexact)


def _aac_packets(stream: Any, frames: Iterable[np.ndarray], sample_rate: int, layout: str) -> Iterator[Timed]:
    import av

    place = 0
    for samples in frames:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = sample_rate, Fraction(1, sample_rate), place
        place += samples.shape[1]
        yield from _timed(stream.encode(frame))
    yield from _timed(stream.encode(None))


def _timed(packets: Iterable[Any]) -> Iterator[Timed]:
    for packet in packets:
        yield Fraction(packet.dts * packet.time_base), 1, packet


def _regrouped(pieces: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The same samples, `size` at a time; the last are fewer."""
    held = None
    for piece in pieces:
        held = piece if held is None else np.concatenate([held, piece], 1)
        whole = held.shape[1] // size * size
        for start in range(0, whole, size):
            yield held[:, start : start + size]
        held = held[:, whole:]
    if held is not None and held.shape[1]:
        yield held


def write_wav(path: Path, pieces: Iterable[np.ndarray], sample_rate: int) -> None:
    """Writes (C, n) float pieces as a WAV of 16 bits. Beyond -1..1 is cut."""
    import wave

    with wave.open(str(path), "wb") as file:
        first = True
        for piece in pieces:
            if first:
                file.setparams((piece.shape[0], 2, sample_rate, 0, "NONE", ""))
                first = False
            file.writeframes(np.round(np.clip(piece, -1, 1).T * 32767).astype("<i2").tobytes())
