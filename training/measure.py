"""`moviegen train measure`: mean and std of an audio codec's latents, written into a copy of the codec: what the transformer sees has
mean 0 and std 1 (our decision). A TAE's are measured by `encode`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from moviegen.config import parse_config
from moviegen.contracts.bucket import decode_bucket
from moviegen.contracts.clip import hash_id
from moviegen.models.audio_codec import AudioCodec
from moviegen.weights import load_model, save_model
from training.cli import say
from training.config import weights_sha256
from training.data.buckets import BatchSpec
from training.data.sound import SoundPart, SoundShape, SoundSource
from training.stage import finish_stage, is_settled

VERSION = 1
"""Raised when the same inputs give other numbers."""

COLLAPSED = 0.01
"""Share of the latents' variance below which a codec is told to have collapsed (our decision)."""


@dataclass(frozen=True)
class MeasureConfig:
    """What is measured, and on what."""

    codec: str
    """Folder of the audio codec."""
    lake: str
    """Root of the lake."""
    output: str
    """Folder of the result: `model/` (the codec with mean and std) and `stage.json`."""
    subset: str | None = None
    """Name of the selection; the lake's only one when not given."""
    seconds: float = 10.0
    """Of each clip, at a random place."""
    max_clips: int = 1024
    """Clips that are listened to, the first ones by name."""
    name: str = "measure"
    """Name of the stage in stage.json."""
    device: str = "cpu"
    """`cpu` or `cuda`."""
    dry_run: bool = False
    """Only tell what would be done."""


def measure(argv: Sequence[str]) -> int:
    """The verb."""
    config, _ = parse_config(
        MeasureConfig, argv, prog="moviegen train measure",
        summary="Measure mean and std of an audio codec's latents into a copy of the codec.",
        examples=["moviegen train measure --codec runs/codec/model --lake lake/ --output runs/measured"],
    )  # fmt: skip
    run_measure(config)
    return 0


def run_measure(config: MeasureConfig) -> bool:
    """Measures unless that is done; whether it is done now (with `dry_run` it may not be)."""
    codec = load_model(AudioCodec, Path(config.codec), config.device)
    part = SoundPart(samples_per_batch=1, seconds=config.seconds, subset=config.subset)
    shape = SoundShape(sample_rate_hz=codec.config.sample_rate_hz, with_captions=False)
    source, folder = SoundSource(Path(config.lake), part, shape, seed=0), Path(config.output)
    count = min(config.max_clips, len(source.buckets))
    sha256 = hash_id(
        "measure", VERSION, weights_sha256(Path(config.codec)), source.subset.digest, config.seconds, config.max_clips
    )
    if (settled := is_settled(folder, sha256, f"{count} clips", config.dry_run)) is not None:
        return settled
    found = latent_moments(codec, source, count)
    codec.latent_mean.copy_(found.mean)
    codec.latent_std.copy_(found.std)
    finish_stage(folder, "audio_codec", config.name, 0, sha256, lambda path: save_model(codec.cpu(), path))
    say(
        f"{folder.name}: done, {count} clips; {found.told:.1%} of the latents' variance is the sound, the rest the posterior's own noise"
    )
    if found.told < COLLAPSED:
        say(
            f"warning: {config.codec} has collapsed: its latents tell nothing of the sound, and no transformer can learn from them. "
            "Train the codec again with a smaller losses.kl; a narrow one with start: even and losses.convergence: 1"
        )
    return True


@dataclass(frozen=True)
class LatentMoments:
    """Of each latent channel, over sounds."""

    mean: Tensor
    """(C,)"""
    std: Tensor
    """(C,), the posterior's own noise included."""
    told: float
    """Share of all channels' variance that is that of the posterior's means, 0..1: near 0 the latents tell nothing of the sound."""


@torch.no_grad()
def latent_moments(codec: AudioCodec, source: SoundSource, count: int) -> LatentMoments:
    """Moments over the first `count` samples; padding is left out."""
    number, total, squares, noise = 0, torch.zeros(()).double(), torch.zeros(()).double(), torch.zeros(()).double()
    device = codec.latent_mean.device
    for position in range(count):
        batch = source.load(BatchSpec(0, decode_bucket(source.buckets[position]), (position,), ()))
        posterior = codec.encode(batch.sound[..., : int(batch.num_samples[0])].to(device))
        mean, std = posterior.mean[0].double(), posterior.std[0].double()
        number += mean.shape[1]
        total = total + mean.sum(1)
        squares, noise = squares + mean.square().sum(1), noise + std.square().sum(1)
    average = total / number
    told = (squares / number - average.square()).clamp_min(0)
    variance = (told + noise / number).clamp_min(1e-12)
    return LatentMoments(average.float(), variance.sqrt().float(), float(told.sum() / variance.sum()))
