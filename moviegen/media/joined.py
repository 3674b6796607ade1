"""Files joined from several recordings, whose timestamps begin again: how far each is moved to come after the one before."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from .container import MAX_JUMP_BACK_S, choose_video_stream
from .demux import demux_packets, open_container, source_name
from .limits import MediaLimits, NoVideoError


def joined_shifts(source: Path | bytes, limits: MediaLimits) -> list[float]:
    """Seconds to add to the timestamps of each recording in a joined file, the first 0, as `OpenVideo.frames` does; [] without video.

    Reads the packets of the whole file and decodes none.
    """
    shifts: list[float] = []
    name = source_name(source)
    with open_container(source, limits) as container:
        try:
            stream = choose_video_stream(name, container)
        except NoVideoError:
            return shifts
        end: Fraction | None = None
        for first, last in _recordings(demux_packets(name, container, stream), stream.time_base):
            shift = Fraction(0) if end is None else end - first
            shifts.append(float(shift))
            end = last + shift
    return shifts


def _recordings(packets: Iterable[Any], time_base: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
    """(start, end) in seconds by the timestamps of each stretch in which they do not jump back."""
    start = end = last = None
    for packet in packets:
        if packet.pts is None or packet.dts is None:
            continue
        if last is not None and packet.dts < last - MAX_JUMP_BACK_S / time_base:
            yield start * time_base, end * time_base
            start = end = None
        last, stamp = packet.dts, packet.pts
        start = stamp if start is None else min(start, stamp)
        end = max(stamp + (packet.duration or 0), stamp if end is None else end)
    if start is not None:
        yield start * time_base, end * time_base
