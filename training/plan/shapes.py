"""The shapes of a stage's batches, from the settings of its data: tokens, samples in a global batch, share of the steps.

How many clips a dataset has of each bucket is not in a YAML file: steps are spread evenly over the buckets of a kind.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moviegen.config import parse_config
from moviegen.contracts.bucket import Bucket, BucketSet, encode_bucket
from moviegen.errors import UsageError

SOUND = 25
"""Latents a second [S §6.1.3]."""


@dataclass(frozen=True)
class Batches:
    """The batches of one shape."""

    name: str
    tokens: int
    """That the network sees of a sample."""
    share: float
    """Of the steps, in parts of their sum."""
    samples: int
    """In a global batch."""
    sample: tuple[int, ...]
    """(3, T, H, W) pixels, or (1, N) sound."""
    num_frames: int
    """That an encoder of frames looks at."""


def batches(kind: str, config: Any, data: Mapping[str, Any], resolution: int) -> list[Batches]:
    """Shapes of a stage whose network is of that kind and size; those that cost alike are one. Raises UsageError where there is none."""
    args = data["init_args"]
    if "SoundDataModule" in data["class_path"]:
        rows = _sound(kind, config, args)
    elif "parts" in args:
        rows = _parts(config, args, resolution)
    else:
        rows = _planned(kind, config, args, resolution)
    if not rows:
        raise UsageError(
            f"moviegen train plan: {data['class_path']} has no batch of any shape; look at data.mix and data.parts"
        )
    if small := [row.name for row in rows if row.samples < 1]:
        raise UsageError(
            f"moviegen train plan: bucket {', '.join(small)}: one sample has more tokens than data.tokens_per_batch"
        )
    return _merged(rows)


BUDGETS = ("tokens_per_batch", "flops_per_batch", "samples_per_batch")
"""Settings that bound a batch, wherever they stand."""


def budgets(args: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    """(dotted setting, value) of each."""
    for name, value in args.items():
        if isinstance(value, Mapping):
            yield from budgets(value, f"{prefix}.{name}")
        elif name in BUDGETS and value:
            yield f"{prefix}.{name}", value


def _sound(kind: str, config: Any, args: Mapping[str, Any]) -> list[Batches]:
    shape = args.get("shape") or {}
    rate, rows = shape.get("sample_rate_hz", 48000), []
    for name, part in _given(args["parts"]):
        size = round(part["seconds"] * rate)
        tokens = -(-size // config.hop) if kind == "audio_codec" else round(SOUND * part["seconds"])
        frames = round(part["seconds"] * shape.get("frame_rate", 0.0))
        label = f"{name} {part['seconds']:g} s"
        rows.append(Batches(label, tokens, part.get("share", 1), part["samples_per_batch"], (1, size), frames))
    return rows


def _parts(config: Any, args: Mapping[str, Any], resolution: int) -> list[Batches]:
    buckets, rows = _buckets(args), []
    for name, part in _given(args["parts"]):
        if part.get("as_images"):
            lengths: Sequence[int] = (1,)
        elif part.get("num_frames"):
            lengths = (part["num_frames"],)
        else:
            lengths = [duration.num_frames for duration in buckets.durations]
        share = part.get("share", 1) / len(lengths) / len(buckets.aspects)
        for frames in lengths:
            for bucket, size in _frames(buckets, frames, resolution):
                tokens = num_tokens(config, *size)
                label = f"{name} {encode_bucket(bucket)}"
                rows.append(Batches(label, tokens, share, part["samples_per_batch"], (3, *size), frames))
    return rows


def _planned(kind: str, config: Any, args: Mapping[str, Any], resolution: int) -> list[Batches]:
    from training.data.buckets import BatchMix
    from training.data.cost import BatchRule

    buckets, mix = _buckets(args), BatchMix(**(args.get("mix") or {}))
    rule = _parsed(BatchRule, args.get("batch") or {})
    window = args.get("window") or {}
    lengths = [window["num_frames"]] if window else [duration.num_frames for duration in buckets.durations]
    kinds = {1: (mix.image, 1), **{frames: (mix.video, len(lengths)) for frames in lengths}}
    rows = []
    for frames, (share, number) in kinds.items():
        for bucket, size in _frames(buckets, frames, resolution) if share else ():
            samples = rule.size(_data_tokens(*size), int(args["tokens_per_batch"]))
            tokens = _data_tokens(*size) if kind == "tae" else num_tokens(config, *size)
            part = share / number / len(buckets.aspects)
            rows.append(Batches(encode_bucket(bucket), tokens, part, samples, (3, *size), frames))
    return rows


def _frames(buckets: BucketSet, frames: int, resolution: int) -> list[tuple[Bucket, tuple[int, int, int]]]:
    """(bucket, (T, H, W)) of each aspect."""
    found = []
    for aspect in buckets.aspects:
        bucket = Bucket(aspect.aspect_width, aspect.aspect_height, frames)
        width, height = buckets.frame_size(bucket, resolution)
        found.append((bucket, (frames, height, width)))
    return found


def _data_tokens(frames: int, height: int, width: int) -> int:
    """By which batches are sized [training/data/cost.py]."""
    return -(-frames // 8) * (height // 16) * (width // 16)


def num_tokens(config: Any, frames: int, height: int, width: int) -> int:
    """Of a video network."""
    return math.prod(patches(config, frames, height, width))


def patches(config: Any, frames: int, height: int, width: int) -> tuple[int, int, int]:
    """(time, height, width) in patches that a video network sees of pixels; an upsampler's latents are of single frames [S §3.1.5]."""
    patch = getattr(config, "patch_size", (1, 2, 2))
    latents = frames if hasattr(config, "condition_channels") else -(-frames // 8)
    return -(-latents // patch[0]), height // (8 * patch[1]), width // (8 * patch[2])


def _merged(rows: Sequence[Batches]) -> list[Batches]:
    """Shapes of as many tokens, samples and frames as one."""
    found: dict[tuple[int, ...], list[Batches]] = {}
    for row in rows:
        found.setdefault((row.tokens, row.samples, row.num_frames), []).append(row)
    return [
        Batches(
            ", ".join(each.name for each in same),
            *key[:1],
            math.fsum(each.share for each in same),
            key[1],
            same[0].sample,
            key[2],
        )
        for key, same in sorted(found.items())
    ]


def _given(parts: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(name, part) for name, part in parts.items() if part]


def _buckets(args: Mapping[str, Any]) -> BucketSet:
    return _parsed(BucketSet, args["buckets"])


def _parsed(config_class: Any, values: Mapping[str, Any]) -> Any:
    return parse_config(
        config_class, ["--config", json.dumps(values)], prog="moviegen train plan", summary="", examples=()
    )[0]
