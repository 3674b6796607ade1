"""What `moviegen train encode` is told, and what identifies its result."""

from dataclasses import dataclass, field
from pathlib import Path

from moviegen.config import load_config
from moviegen.contracts.bucket import BucketSet
from moviegen.contracts.clip import hash_id
from moviegen.models.text_encoders import TextEncodersConfig
from training.config import weights_sha256
from training.data.caching import Precision
from training.data.shards import Subset

PAPER_BUCKETS = Path(__file__).resolve().parents[1] / "configs" / "buckets" / "paper.yaml"

VERSION = 2
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
    buckets: BucketSet = field(default_factory=lambda: load_config(BucketSet, PAPER_BUCKETS))
    """Aspects and durations of the shards; the paper's when not given, as in `curate run`."""
    subset: str | None = None
    """Name of the selection; the lake's only one when not given."""
    resolution: int = 256
    """Side in px of the square of equal area."""
    image_frames: int = 4
    """Single frames of each clip that are encoded as images."""
    batch_clips: int = 4
    """Clips encoded at once."""
    frozen_texts: TextEncodersConfig | None = None
    """Frozen text encoders whose features are cached too, in the network's order; none where the text encoder trains."""
    allow_missing: bool = False
    """Go on without committed shards that are missing; the latents are then of the others alone."""
    precision: Precision = "float32"
    """Of what is written; `bfloat16` halves the cache."""
    processes: int = 1
    """Encoding processes on this machine; on several GPUs one each."""
    rank: int = 0
    """Number of this command among `world_size` that share the work: `--rank $SLURM_PROCID --world_size $SLURM_NTASKS`."""
    world_size: int = 1
    """Commands that share the work."""
    name: str = "encode"
    """Name of the stage in stage.json."""
    device: str = "cpu"
    """`cpu` or `cuda`."""
    dry_run: bool = False
    """Only tell what would be done."""

    def __post_init__(self) -> None:
        for name in ("resolution", "image_frames", "batch_clips", "processes", "world_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, wanted at least 1")
        if not 0 <= self.rank < self.world_size:
            raise ValueError(f"rank is {self.rank}, wanted 0 to {self.world_size - 1} (world_size {self.world_size})")


def encode_sha256(config: EncodeConfig, subset: Subset) -> str:
    """Hash of all that determines the stage: which latents, and of which shards."""
    return hash_id(latents_sha256(config), subset.digest)


def latents_sha256(config: EncodeConfig) -> str:
    """Hash of all that determines a shard's latents beside the shard: a subset that grows, or misses a tar, keeps those of the others."""
    return hash_id(
        VERSION,
        weights_sha256(Path(config.tae)),
        config.resolution,
        config.image_frames,
        repr(config.buckets),
        config.precision,
        text_digests(config),
    )


def text_digests(config: EncodeConfig) -> tuple[str, ...]:
    """Of each text encoder a hash of its weights, or of its hub id, and of how it reads."""
    sources = config.frozen_texts.encoders if config.frozen_texts else ()
    return tuple(
        hash_id(
            weights_sha256(Path(each.source)) if Path(each.source).is_dir() else each.source,
            each.max_length,
            each.role,
            each.dtype,
        )
        for each in sources
    )
