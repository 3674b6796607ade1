"""What a video file is: streams, sizes as displayed, rates, times. Reads the header and one frame."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from .container import header_duration, open_video
from .demux import choose_audio_stream
from .limits import MediaLimits, UnreadableMediaError


@dataclass(frozen=True)
class MediaProbe:
    """A video file as its header and first frame tell."""

    container: str
    """Demuxer's name, as FFmpeg writes it (`mov,mp4,m4a,3gp,3g2,mj2`)."""
    video_codec: str
    audio_codec: str | None
    """Codec of the audio stream a player plays; None when there is none."""
    width: int
    """Pixels as displayed: sample aspect and turn applied."""
    height: int
    coded_width: int
    """Pixels as stored."""
    coded_height: int
    sample_aspect: Fraction
    """Width over height of a stored pixel."""
    rotation: int
    """Degrees clockwise that the stored picture is turned for display: 0, 90, 180, 270."""
    is_mirrored: bool
    fps: Fraction
    """Average frames per second by the header."""
    num_frames: int | None
    """Frames by the header; None where it does not say. Headers lie: count when it matters."""
    duration: float | None
    """Seconds by the header; None where it does not say."""
    time_base: Fraction
    """Seconds per timestamp unit of the video stream."""
    start_pts: int
    """Timestamp of the first frame."""
    has_audio: bool
    pix_fmt: str
    video_stream: int
    """Index of the chosen video stream in the container."""


def probe(path: Path | str, limits: MediaLimits | None = None) -> MediaProbe:
    """What the file is. Raises a MediaError naming the file and why: unreadable, refused, no video."""
    path = Path(path)
    with open_video(path, limits) as video:
        stream, container = video.stream, video.container
        audio = choose_audio_stream(container)
        width, height = video.display_size
        orientation = video.orientation
        return MediaProbe(
            container=container.format.name,
            video_codec=stream.codec_context.codec.canonical_name,
            audio_codec=_codec_name(audio),
            width=width,
            height=height,
            coded_width=video.coded_size[0],
            coded_height=video.coded_size[1],
            sample_aspect=video.sample_aspect,
            rotation=orientation.rotation,
            is_mirrored=orientation.is_mirrored,
            fps=_fps(path, stream),
            num_frames=stream.frames or None,
            duration=header_duration(stream),
            time_base=stream.time_base,
            start_pts=video.start_pts,
            has_audio=audio is not None,
            pix_fmt=video.pix_fmt,
            video_stream=stream.index,
        )


def _codec_name(stream: Any) -> str | None:
    if stream is None:
        return None
    return stream.codec_context.codec.canonical_name if stream.codec_context is not None else "unknown"


def _fps(path: Path, stream: Any) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    if not rate or rate <= 0:
        raise UnreadableMediaError(f"{path}: the header gives no frame rate")
    return Fraction(rate)
