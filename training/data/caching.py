"""One shard's latents and text features: encoded clip by clip into a tar, with a record beside it that says what is in it.

Axis letters: N clips, K single frames, C channels, T latent frames, h w latent rows and columns.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from moviegen.contracts.bucket import BucketSet, decode_bucket
from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import atomic_write
from moviegen.models.tae import TAE
from moviegen.models.text import TextEncoder
from training.data.decode import to_tensor
from training.data.encoders import encode_pixels, encode_texts, num_text_tokens, prompt_of, trim
from training.data.latents import SUFFIXES, LatentFile, LatentSample, frame_positions
from training.data.payload import encode_payload
from training.data.sources import ShardSource
from training.data.tars import write_tar

MEMBER_OVERHEAD = 1024
"""Bytes a member takes beside its tensors: a block of the tar, the payload's own header, padding to a block."""

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Sums:
    """Of the latents of all clips, so that their mean and std need no second reading."""

    count: int
    """Latent positions."""
    total: tuple[float, ...]
    """Of each channel the sum of means."""
    squares: tuple[float, ...]
    """Of each channel the sum of mean^2 + std^2: the posterior's own variance is part of the latents'."""


def add_sums(one: Sums | None, two: Sums) -> Sums:
    """Of both."""
    if one is None:
        return two
    totals, squares = (
        tuple(a + b for a, b in zip(left, right, strict=True))
        for left, right in ((one.total, two.total), (one.squares, two.squares))
    )
    return Sums(one.count + two.count, totals, squares)


@dataclass(frozen=True)
class Record:
    """What is in a tar."""

    file: LatentFile
    samples: tuple[LatentSample, ...]
    sums: Sums


@dataclass(frozen=True)
class Encoders:
    """What encodes, and how it is written."""

    tae: TAE
    texts: tuple[TextEncoder, ...]
    device: str
    image_frames: int
    batch_clips: int
    precision: Precision


def encode_shard(encoders: Encoders, source: ShardSource, positions: Sequence[int], bucket: str, path: Path) -> None:
    """Writes the tar of a shard's samples at `path`, then its record; both appear whole or not at all."""
    samples: list[LatentSample] = []
    sums: list[Sums] = []
    with atomic_write(path) as temporary:
        write_tar(temporary, _members(encoders, source, positions, samples, sums))
    total = None
    for each in sums:
        total = add_sums(total, each)
    num_images = len(frame_positions(decode_bucket(bucket).num_frames, encoders.image_frames))
    row = {"path": f"{bucket}/{path.name}", "bucket": bucket, "sha256": file_sha256(path), "num_images": num_images}
    record = {
        "file": {**row, "samples": [asdict(sample) for sample in samples]},
        "sums": asdict(total) if total else None,
    }
    with atomic_write(record_path(path)) as temporary:
        temporary.write_text(json.dumps(record) + "\n")


def record_path(path: Path) -> Path:
    """Where the record of a tar lies: beside it."""
    return path.with_suffix(".json")


def read_record(path: Path) -> Record | None:
    """What is in a tar that was encoded; None when it was not, or not to the end."""
    try:
        record = json.loads(record_path(path).read_text())
        row, sums = record["file"], record["sums"]
        samples = tuple(LatentSample(**sample) for sample in row.pop("samples"))
        file = LatentFile(**row, num_samples=len(samples))
        result = Record(file, samples, Sums(sums["count"], tuple(sums["total"]), tuple(sums["squares"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return result if path.is_file() else None


def _members(
    encoders: Encoders,
    source: ShardSource,
    positions: Sequence[int],
    samples: list[LatentSample],
    sums: list[Sums],
) -> Iterator[tuple[str, dict[str, bytes]]]:
    """(key, members) of each sample; what the record says of them is appended to `samples` and `sums`."""
    for start in range(0, len(positions), encoders.batch_clips):
        some = positions[start : start + encoders.batch_clips]
        clips = [source.read_clip(i) for i in some]
        rows = [
            LatentSample(ref.key, ref.video_id, ref.caption, clip.fps)
            for ref, clip in zip((source.subset.samples[i] for i in some), clips, strict=True)
        ]
        payloads = encode_clips(encoders, torch.stack([to_tensor(clip.frames) for clip in clips]), rows)
        sums.append(_sums(payloads))
        samples += rows
        for row, parts in zip(rows, payloads, strict=True):
            yield row.key, {SUFFIXES[kind]: encode_payload(tensors) for kind, tensors in sorted(parts.items())}


def encode_clips(
    encoders: Encoders, pixels: Tensor, samples: Sequence[LatentSample]
) -> list[dict[str, dict[str, Tensor]]]:
    """Of each clip `video` (mean, std: (C, T, h, w)), `image` (mean, std: (K, C, 1, h, w)), `text` (of each text encoder `video.0` ... and
    `image.0` ...: (L, D)), on the CPU. A clip of one frame has no `video`."""
    pixels = pixels.to(encoders.device)
    frames = frame_positions(pixels.shape[2], encoders.image_frames)
    images = pixels[:, :, frames].transpose(1, 2).flatten(0, 1).unsqueeze(2)
    parts: list[dict[str, dict[str, Tensor]]] = [{} for _ in samples]
    is_video = pixels.shape[2] > 1
    for kind, x in (("video", pixels), ("image", images)) if is_video else (("image", images),):
        posterior = encode_pixels(encoders.tae, x)
        moments = {"mean": posterior.mean, "std": torch.exp(0.5 * posterior.logvar)}
        for name, values in moments.items():
            values = values.to("cpu", getattr(torch, encoders.precision))
            each = values.unflatten(0, (len(samples), len(frames))) if kind == "image" else values
            for part, value in zip(parts, each, strict=True):
                part.setdefault(kind, {})[name] = value.contiguous()
    for part, texts in zip(parts, _texts(encoders, samples, is_video), strict=True):
        if texts:
            part["text"] = texts
    return parts


def _texts(encoders: Encoders, samples: Sequence[LatentSample], is_video: bool) -> list[dict[str, Tensor]]:
    found: list[dict[str, Tensor]] = [{} for _ in samples]
    for kind in ("video", "image") if is_video else ("image",):
        prompts = [prompt_of(sample.caption, sample.fps if kind == "video" else 0.0) for sample in samples]
        for number, context in enumerate(encode_texts(encoders.texts, prompts, encoders.device)):
            for texts, features in zip(found, trim(context), strict=True):
                texts[f"{kind}.{number}"] = features.to("cpu", getattr(torch, encoders.precision)).contiguous()
    return found


def _sums(payloads: Sequence[dict[str, dict[str, Tensor]]]) -> Sums:
    shown = [part.get("video", part["image"]) for part in payloads]
    mean, std = (torch.stack([part[name] for part in shown]).double() for name in ("mean", "std"))
    mean, std = (x.flatten(0, 1) if x.dim() == 6 else x for x in (mean, std))
    total, squares = mean.sum((0, 2, 3, 4)), (mean.square() + std.square()).sum((0, 2, 3, 4))
    return Sums(mean[:, 0].numel(), tuple(total.tolist()), tuple(squares.tolist()))


def mean_and_std(sums: Sums) -> tuple[Tensor, Tensor]:
    """The mean of each latent channel, and one std for all of them, both (C,), over all videos, the posterior's own variance included.

    One std, as LDM's one factor, leaves channels that say more larger than those that say less (our decision).
    """
    average = torch.tensor(sums.total, dtype=torch.float64) / sums.count
    squares = torch.tensor(sums.squares, dtype=torch.float64) / sums.count
    variance = (squares - average.square()).mean().clamp_min(1e-12)
    return average.float(), variance.sqrt().float().expand(len(average)).clone()


def latent_bytes(encoders: Encoders, buckets: BucketSet, resolution: int, keys: Sequence[str]) -> int:
    """Bytes of the latents of samples of these buckets, without encoding any."""
    tae, total = encoders.tae, 0
    factor, numbers = tae.config.spatial_factor, 2 * tae.config.latent_channels * _itemsize(encoders)
    for key in set(keys):
        bucket = decode_bucket(key)
        width, height = buckets.frame_size(bucket, resolution)
        frames = len(frame_positions(bucket.num_frames, encoders.image_frames))
        frames += 0 if bucket.is_image else tae.num_latent_frames(bucket.num_frames)
        members = MEMBER_OVERHEAD * (1 if bucket.is_image else 2)
        total += keys.count(key) * (frames * (width // factor) * (height // factor) * numbers + members)
    return total


def text_bytes(encoders: Encoders, captions: Sequence[str], sampled: int = 256) -> int:
    """Bytes of the text features, from the number of tokens of some captions spread over all."""
    if not captions or not encoders.texts:
        return 0
    shown = [prompt_of(caption, 16.0) for caption in captions[:: max(1, len(captions) // sampled)]]
    each = sum(num_text_tokens(encoder, shown) * encoder.width for encoder in encoders.texts) / len(shown)
    return round(len(captions) * (2 * each * _itemsize(encoders) + MEMBER_OVERHEAD))


def _itemsize(encoders: Encoders) -> int:
    return int(getattr(torch, encoders.precision).itemsize)
