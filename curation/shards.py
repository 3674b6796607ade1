"""A kept clip becomes a sample, samples become a tar: encoded once, the same input giving the same bytes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from moviegen.contracts.audio_caption import AudioCaption
from moviegen.contracts.clip import Clip, file_sha256, hash_id
from moviegen.contracts.lake import atomic_write
from moviegen.contracts.sample import SampleMeta, encode_sample
from moviegen.contracts.shard import ShardName, encode_shard_path
from moviegen.disk import writing
from moviegen.media.limits import UnreadableMediaError
from moviegen.media.read import Frame, OpenVideo, iter_planes, open_video, read_audio
from moviegen.media.write import encode_clip

SHARD_VERSION = 3
"""Raised when the same clip and settings give other bytes than before."""

FPS_TOLERANCE = 0.02
"""The source's average rate is taken as the clip's unless the clip's own frames are off by more than this share."""


@dataclass(frozen=True)
class EncodeConfig:
    """How a clip is encoded."""

    short_side_px: int = 768
    """Frames are scaled down until their shorter side is at most this, never up."""
    crf: int = 18
    """x264 quality: lower is better and larger."""
    audio_sample_rate: int = 48_000
    """Hz [S §6.1]."""
    preset: str = "medium"
    """x264 preset."""

    def __post_init__(self) -> None:
        if self.short_side_px < 16:
            raise ValueError(f"short_side_px is {self.short_side_px}, wanted at least 16")
        if not 0 <= self.crf <= 51:
            raise ValueError(f"crf is {self.crf}, wanted 0..51")


@dataclass(frozen=True)
class Sample:
    """One clip as it goes into a tar."""

    meta: SampleMeta
    caption: str
    media: bytes
    """mp4."""

    def row(self, path: str) -> dict:
        """Row of the `samples` table, for a tar at `path` below the lake's root."""
        meta = self.meta
        return {
            "subset": meta.subset,
            "clip_id": meta.clip_id,
            "path": path,
            "caption": self.caption,
            "captioner": meta.captioner,
            "width": meta.width,
            "height": meta.height,
            "num_frames": meta.num_frames,
            "has_audio": meta.has_audio,
        }


def encode_version(config: EncodeConfig) -> str:
    """Hash of the writer's version and settings."""
    return hash_id("shard", SHARD_VERSION, asdict(config))


def sample_of(
    clip: Clip,
    video: dict,
    *,
    subset: str,
    bucket: str,
    caption: dict,
    scores: dict[str, float],
    config: EncodeConfig,
    heard: dict | None = None,
) -> Sample:
    """The clip encoded, with what is known of it. `video` is its row of `videos`, `caption` has `text`, `captioner`, `camera_motion`,
    `heard` its audio caption: `audio_caption`, the six fields, and `audio_captioner`; None where there is none.

    Frames are those of the span, shown at a constant rate: where the source's rate varies, a frame is held or passed over so that
    picture and sound stay together. Raises MediaError when the source no longer has these frames.
    """
    fps = clip_fps(clip)
    num_frames = len(frame_times(clip, fps))
    width, height = encoded_size(clip.width, clip.height, config.short_side_px)
    path = Path(video["uri"])
    audio = _audio(path, clip, config) if video["has_audio"] else None
    with open_video(path) as opened:
        media = encode_clip(
            clip_frames(opened, clip, fps, (width, height)),
            fps,
            width=width,
            height=height,
            audio=audio,
            sample_rate=config.audio_sample_rate,
            crf=config.crf,
            preset=config.preset,
            matrix=opened.matrix,
        )
    meta = SampleMeta(
        clip_id=clip.clip_id,
        video_id=clip.video_id,
        subset=subset,
        bucket=bucket,
        start_pts=clip.start_pts,
        end_pts=clip.end_pts,
        tb_num=clip.tb_num,
        tb_den=clip.tb_den,
        num_frames=num_frames,
        fps_num=fps.numerator,
        fps_den=fps.denominator,
        width=width,
        height=height,
        duration=float(num_frames / fps),
        has_audio=audio is not None,
        captioner=caption["captioner"],
        camera_motion=caption["camera_motion"],
        scores=scores,
        **_audio_caption(None if audio is None else heard),
    )
    return Sample(meta, caption["text"], media)


def _audio_caption(heard: dict | None) -> dict:
    return {} if heard is None else heard | {"audio_caption": AudioCaption(**heard["audio_caption"])}


def clip_fps(clip: Clip) -> Fraction:
    """The constant rate to encode at: the source's average, or the clip's own where the header's average is not true of it."""
    measured = clip.num_frames / ((clip.end_pts - clip.start_pts) * clip.time_base)
    if abs(measured / clip.fps - 1) <= FPS_TOLERANCE:
        return clip.fps
    return measured.limit_denominator(1001)


def frame_times(clip: Clip, fps: Fraction) -> list[Fraction]:
    """Timestamps, on the clip's time base, of the middles of the encoded frames: at least one."""
    step = 1 / (fps * clip.time_base)
    number = max(1, round((clip.end_pts - clip.start_pts) / step))
    return [clip.start_pts + step * (2 * i + 1) / 2 for i in range(number)]


def clip_frames(video: OpenVideo, clip: Clip, fps: Fraction, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """The planes shown at each of the clip's `frame_times`, (H * 3 / 2, W) uint8 of `size` (width, height), as `encode_clip` takes them.

    Raises UnreadableMediaError when the file does not have the clip's frames.
    """
    crop = clip.crop_window if clip.is_cropped else None
    frames = iter_planes(video, start_pts=clip.start_pts, end_pts=clip.end_pts, size=size, crop=crop)
    return at_constant_rate(frames, clip, fps, video.name)


def at_constant_rate(frames: Iterable[Frame], clip: Clip, fps: Fraction, name: str) -> Iterator[np.ndarray]:
    """The image shown at each of the clip's `frame_times`, of all its frames; `name` is the file's, for the error.

    Raises UnreadableMediaError when there are not as many frames as the clip has.
    """
    times = iter(frame_times(clip, fps))
    time: Fraction | None = next(times)
    shown: Frame | None = None
    count = 0
    for frame in frames:
        count += 1
        while shown is not None and time is not None and time < frame.pts:
            yield shown.image
            time = next(times, None)
        shown = frame
    if shown is None or count != clip.num_frames:
        raise UnreadableMediaError(
            f"{name}: {count} frames in [{clip.start_pts}, {clip.end_pts}), {clip.num_frames} when it was split; "
            f"if the file has changed, run `moviegen curate run` again"
        )
    while time is not None:
        yield shown.image
        time = next(times, None)


def encoded_size(width: int, height: int, short_side_px: int) -> tuple[int, int]:
    """(width, height) with the shorter side at most `short_side_px`, both even, never larger than the source but for a pixel."""
    scale = min(Fraction(1), Fraction(short_side_px, min(width, height)))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _audio(path: Path, clip: Clip, config: EncodeConfig) -> np.ndarray:
    start_s = clip.start_s
    return read_audio(
        path, start_s=start_s, end_s=start_s + clip.duration, sample_rate=config.audio_sample_rate, mono=False
    )


def write_shard(root: Path, name: ShardName, samples: Iterable[Sample]) -> dict:
    """Writes the samples, sorted by clip id, as one tar under the lake's root; it appears atomically. Its row of `shards`.

    The bytes depend on the samples alone: no time, no user, no machine in them. Raises ValueError on a clip that comes twice.
    """
    path = encode_shard_path(name)
    ordered = sorted(samples, key=lambda sample: sample.meta.clip_id)
    _check_samples(path, name, ordered)
    place = root / path
    with (
        writing(place, lambda: _num_bytes(ordered)),
        atomic_write(place, "shard") as temporary,
        open(temporary, "wb") as file,
    ):
        write_tar(file, ((s.meta.clip_id, encode_sample(s.meta, s.caption, s.media)) for s in ordered))
    return {
        "path": path,
        "subset": name.subset,
        "bucket": name.bucket,
        "num_samples": len(ordered),
        "size_bytes": (root / path).stat().st_size,
        "sha256": file_sha256(root / path),
    }


def _num_bytes(samples: Iterable[Sample]) -> int:
    return sum(len(sample.media) for sample in samples)


def _check_samples(path: str, name: ShardName, samples: Sequence[Sample]) -> None:
    if not samples:
        raise ValueError(f"{path}: no sample to write")
    ids = [sample.meta.clip_id for sample in samples]
    if len(set(ids)) < len(ids):
        raise ValueError(f"{path}: clip {next(i for i in ids if ids.count(i) > 1)} comes twice")
    for sample in samples:
        if (sample.meta.subset, sample.meta.bucket) != (name.subset, name.bucket):
            raise ValueError(
                f"{path}: clip {sample.meta.clip_id} is of subset {sample.meta.subset}, bucket {sample.meta.bucket}"
            )


def write_tar(file: BinaryIO, samples: Iterable[tuple[str, dict[str, bytes]]]) -> None:
    """Writes (key, members by suffix) as a tar, in the order given: no time, no user, no machine in it."""
    from webdataset import TarWriter

    with TarWriter(file, user="moviegen", group="moviegen", mode=0o444, mtime=0, encoder=False) as tar:
        for key, members in samples:
            tar.write({"__key__": key, **members})
