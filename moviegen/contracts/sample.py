"""One clip in a shard: `<clip_id>.mp4` + `.txt` (caption) + `.json` (where it is from and what was measured)."""

import json
import math
import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .audio_caption import AudioCaption

MEDIA_SUFFIXES = ("mp4", "jpg", "flac")
"""Video, image, audio. `jpg` and `flac` samples have the same `.txt` and `.json`."""

MEMBER_SUFFIXES = (*MEDIA_SUFFIXES, "txt", "json")
"""The only members a shard may have: anything else is refused before it is decoded."""

SAMPLE_FORMAT = 1
"""Raised when a field changes its meaning."""

_KEY = re.compile(r"[0-9a-f]{32}")


def check_key(key: str) -> str:
    """The key itself when it is 32 hex digits; ValueError otherwise (a path, a `..`, a name of someone else's)."""
    if _KEY.fullmatch(key) is None:
        raise ValueError(f"sample key {key!r} is not 32 hex digits")
    return key


@dataclass(frozen=True)
class SampleMeta:
    """The `.json` of a sample."""

    clip_id: str
    video_id: str
    subset: str
    bucket: str
    start_pts: int
    end_pts: int
    tb_num: int
    tb_den: int
    num_frames: int
    """Frames of the encoded clip: those of the source span, not of the bucket."""
    fps_num: int
    fps_den: int
    width: int
    """Pixels, as encoded."""
    height: int
    duration: float
    """Seconds."""
    has_audio: bool
    captioner: str
    """Who wrote the `.txt`."""
    camera_motion: str | None = None
    scores: dict[str, float] = field(default_factory=dict)
    """Metric -> score, as at the time of writing."""
    audio_caption: AudioCaption | None = None
    """What is heard, in six fields [S Table 26]; left out of the `.json` where nobody wrote it."""
    audio_captioner: str | None = None
    """Who wrote `audio_caption`; left out with it."""
    format: int = SAMPLE_FORMAT

    def __post_init__(self) -> None:
        check_key(self.clip_id)
        if (self.audio_caption is None) != (self.audio_captioner is None):
            raise ValueError(f"sample {self.clip_id}: audio_caption and audio_captioner go together")
        for metric, score in self.scores.items():
            if not math.isfinite(score):
                raise ValueError(f"sample {self.clip_id}: {metric} is {score}")


_IF_THERE = ("audio_caption", "audio_captioner")
"""Fields that are not written when they are None: samples without them keep the bytes they had before there were any."""


def meta_values(meta: SampleMeta) -> dict[str, Any]:
    """The record as plain JSON; `meta_of_values` is its inverse."""
    return {name: value for name, value in asdict(meta).items() if name not in _IF_THERE or value is not None}


def encode_meta(meta: SampleMeta) -> bytes:
    """The `.json` member: UTF-8, sorted keys, no spaces, so that the same sample gives the same bytes."""
    return json.dumps(
        meta_values(meta), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def decode_meta(data: bytes) -> SampleMeta:
    """The record of a `.json` member; the inverse of `encode_meta`. Raises ValueError naming the field that is off."""
    try:
        values = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"sample .json: {error}") from error
    return meta_of_values(values)


def meta_of_values(values: Any) -> SampleMeta:
    """The record of plain JSON. Raises ValueError naming the field that is off."""
    if not isinstance(values, dict):
        raise ValueError(f"sample .json is a {type(values).__name__}, wanted an object")
    who = f"sample {values.get('clip_id')}"
    known = {f.name for f in fields(SampleMeta)}
    if odd := sorted(set(values) - known):
        raise ValueError(f"{who}: unknown fields {odd}; written by a newer version?")
    if values.get("format", SAMPLE_FORMAT) != SAMPLE_FORMAT:
        raise ValueError(f"{who}: format {values['format']}, this version reads {SAMPLE_FORMAT}")
    try:
        if values.get("audio_caption") is not None:
            values = values | {"audio_caption": AudioCaption(**values["audio_caption"])}
        return SampleMeta(**values)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{who}: {error}") from error


def encode_sample(meta: SampleMeta, caption: str, media: bytes, suffix: str = "mp4") -> dict[str, bytes]:
    """Members of one sample by suffix, in the order they are written: json, media, txt (sorted)."""
    if suffix not in MEDIA_SUFFIXES:
        raise ValueError(f"sample {meta.clip_id}: media suffix {suffix!r} is not one of {MEDIA_SUFFIXES}")
    members = {suffix: media, "json": encode_meta(meta), "txt": caption.encode()}
    return dict(sorted(members.items()))


def decode_sample(members: dict[str, bytes]) -> tuple[SampleMeta, str, bytes, str]:
    """(meta, caption, media, suffix) of a sample's members; the inverse of `encode_sample`."""
    odd = sorted(set(members) - set(MEMBER_SUFFIXES))
    if odd:
        raise ValueError(f"sample has members {odd}; only {MEMBER_SUFFIXES} are read")
    media = [suffix for suffix in MEDIA_SUFFIXES if suffix in members]
    if len(media) != 1 or "json" not in members or "txt" not in members:
        raise ValueError(f"sample has members {sorted(members)}; wanted json, txt and one of {MEDIA_SUFFIXES}")
    return decode_meta(members["json"]), members["txt"].decode(), members[media[0]], media[0]
