"""`moviegen train encode`: a subset's TAE latents, computed once, and their mean and std written into a copy of the TAE.

For high resolutions the paper precomputes and caches latents [S §3.1.6]. The unit of work and of resume is a shard: its file
appears whole, under a name that says what it was made from; `latents.json` commits all of them.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from moviegen.config import parse_config
from moviegen.contracts.bucket import BucketSet
from moviegen.contracts.clip import file_sha256, hash_id
from moviegen.contracts.lake import atomic_write
from moviegen.contracts.stage import STAGE_FILE, read_stage
from moviegen.models.tae import TAE
from moviegen.weights import load_model, save_model
from training.cli import say
from training.config import expand_flags, weights_sha256
from training.data.decode import to_tensor
from training.data.latents import LatentFile, LatentIndex, LatentSample, frame_positions, write_index
from training.data.shards import Subset
from training.data.sources import ShardSource
from training.stage import finish_stage

VERSION = 1
"""Raised when the same inputs give other latents."""


@dataclass(frozen=True)
class EncodeConfig:
    """What is encoded, with what, and how."""

    tae: str
    """Folder of the TAE."""
    lake: str
    """Root of the lake."""
    output: str
    """Folder of the result: `latents/`, `model/` (the TAE with mean and std) and `stage.json`."""
    buckets: BucketSet
    """Aspects and durations of the shards."""
    subset: str | None = None
    """Name of the selection; the lake's only one when not given."""
    resolution: int = 256
    """Side in px of the square of equal area."""
    image_frames: int = 4
    """Single frames of each clip that are encoded as images."""
    batch_clips: int = 4
    """Clips encoded at once."""
    name: str = "encode"
    """Name of the stage in stage.json."""
    device: str = "cpu"
    """`cpu` or `cuda`."""
    dry_run: bool = False
    """Only tell what would be done."""

    def __post_init__(self) -> None:
        for name in ("resolution", "image_frames", "batch_clips"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, wanted at least 1")


def encode(argv: Sequence[str]) -> int:
    """The verb: encodes what is not encoded yet, then measures and commits."""
    config, _ = parse_config(
        EncodeConfig,
        expand_flags(argv),
        prog="moviegen train encode",
        summary="Cache the TAE latents of a subset, and measure their mean and std into a copy of the TAE.",
        examples=[
            "moviegen train encode --tae runs/tae/model --lake lake/ --buckets configs/buckets/tiny.yaml --output runs/latents"
        ],
    )
    run_encode(config)
    return 0


def encode_sha256(config: EncodeConfig, subset: Subset) -> str:
    """Hash of all that determines the latents."""
    return hash_id(
        VERSION,
        weights_sha256(Path(config.tae)),
        subset.digest,
        config.resolution,
        config.image_frames,
        repr(config.buckets),
    )


def run_encode(config: EncodeConfig) -> bool:
    """Encodes what is not encoded yet, and says so; whether the stage is done now (with `dry_run` it may not be)."""
    source = ShardSource(Path(config.lake), config.subset, config.buckets, config.resolution, cache_bytes=0)
    sha256, folder = encode_sha256(config, source.subset), Path(config.output)
    result = read_stage(folder)
    count = len(source.subset.samples)
    if result is not None and result.config_sha256 == sha256:
        say(f"{folder.name}: done, {count} clips")
        return True
    if config.dry_run:
        say(f"{folder.name}: to do, {count} clips in {len(source.subset.shards)} shards")
        return False
    (folder / STAGE_FILE).unlink(missing_ok=True)
    tae = load_model(TAE, Path(config.tae), config.device).requires_grad_(False)
    files = tuple(_encode_shards(config, source, tae, sha256))
    tae_sha256, name = weights_sha256(Path(config.tae)), source.subset.name
    index = LatentIndex(name, source.subset.digest, tae_sha256, config.resolution, config.image_frames, files)
    write_index(folder / "latents", index)
    _drop_others(folder / "latents", files)
    mean, std = measure(folder / "latents", files)
    tae.latent_mean.copy_(mean)
    tae.latent_std.copy_(std)
    finish_stage(folder, "tae", config.name, 0, sha256, lambda path: save_model(tae.cpu(), path))
    say(f"{folder.name}: done, {count} clips")
    return True


def _encode_shards(config: EncodeConfig, source: ShardSource, tae: TAE, sha256: str) -> Iterator[LatentFile]:
    for number, shard in enumerate(source.subset.shards, 1):
        positions = [i for i, ref in enumerate(source.subset.samples) if ref.shard == shard.path]
        name = f"{shard.bucket}/{hash_id(sha256, shard.sha256)}.safetensors"
        path = Path(config.output) / "latents" / name
        if not _is_whole(path):
            say(f"shard {number}/{len(source.subset.shards)}: {len(positions)} clips of {shard.bucket}")
            tensors = encode_clips(config, source, tae, positions)
            with atomic_write(path) as temporary:
                save_file(tensors, temporary)
        yield LatentFile(name, shard.bucket, file_sha256(path), tuple(_samples(source, positions)))


def _is_whole(path: Path) -> bool:
    """Whether a file of that name can be read to its end; one written here always can."""
    try:
        with safe_open(path, framework="pt") as file:
            return bool(file.keys())
    except (OSError, SafetensorError):
        return False


def _samples(source: ShardSource, positions: Sequence[int]) -> Iterator[LatentSample]:
    for position in positions:
        ref = source.subset.samples[position]
        yield LatentSample(ref.key, ref.video_id, ref.caption, source.frame_rate(position))


@torch.no_grad()
def encode_clips(config: EncodeConfig, source: ShardSource, tae: TAE, positions: Sequence[int]) -> dict[str, Tensor]:
    """`video_mean`, `video_std` (N, C, T, h, w) and `image_mean`, `image_std` (N, K, C, 1, h, w), float32, on the CPU."""
    moments: dict[str, list[Tensor]] = {name: [] for name in ("video_mean", "video_std", "image_mean", "image_std")}
    for start in range(0, len(positions), config.batch_clips):
        clips = [source.read_clip(i) for i in positions[start : start + config.batch_clips]]
        pixels = torch.stack([to_tensor(clip.frames) for clip in clips]).to(config.device)
        frames = frame_positions(pixels.shape[2], config.image_frames)
        images = pixels[:, :, frames].transpose(1, 2).flatten(0, 1).unsqueeze(2)
        for kind, x in (("video", pixels), ("image", images)):
            posterior = tae.encode(x, tiled=kind == "video")
            shape = (len(clips), len(frames)) if kind == "image" else (len(clips),)
            moments[f"{kind}_mean"].append(posterior.mean.unflatten(0, shape).cpu())
            moments[f"{kind}_std"].append(torch.exp(0.5 * posterior.logvar).unflatten(0, shape).cpu())
    return {name: torch.cat(parts).contiguous() for name, parts in moments.items()}


def measure(folder: Path, files: Sequence[LatentFile]) -> tuple[Tensor, Tensor]:
    """The mean of each latent channel, and one std for all of them, both (C,), over all videos, the posterior's own variance included.

    One std, as LDM's one factor, leaves channels that say more larger than those that say less (our decision).
    """
    count, total, squares = 0, torch.zeros(()).double(), torch.zeros(()).double()
    for file in files:
        with safe_open(folder / file.path, framework="pt") as tensors:
            mean, std = tensors.get_tensor("video_mean").double(), tensors.get_tensor("video_std").double()
        count += mean[:, 0].numel()
        total = total + mean.sum((0, 2, 3, 4))
        squares = squares + (mean.square() + std.square()).sum((0, 2, 3, 4))
    average = total / count
    variance = (squares / count - average.square()).mean().clamp_min(1e-12)
    return average.float(), variance.sqrt().float().expand(len(average)).clone()


def _drop_others(folder: Path, files: Sequence[LatentFile]) -> None:
    """Deletes latent files that the committed index does not name."""
    named = {folder / file.path for file in files}
    for path in folder.rglob("*.safetensors"):
        if path not in named:
            os.unlink(path)
