"""How large a batch of each bucket is: as many samples as fit a budget of tokens (memory) and one of FLOPs (time).

Attention is quadratic, so batches of equal tokens differ in time by up to a factor of two at 768 px; batches of equal FLOPs do not. Sizes
never depend on the number of ranks: a run may be resumed on another number of them and sees the same batches.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from moviegen.contracts.bucket import Bucket, BucketSet
from moviegen.errors import UsageError

K = TypeVar("K")

TRAINING = 3
"""FLOPs of a training step over those of a forward: the backward is two more. Recomputation for memory is not counted."""


@dataclass(frozen=True)
class TransformerCost:
    """FLOPs of a transformer on one sample: the sizes of its configuration, and the length of its text."""

    dim: int
    """Width d."""
    num_layers: int
    """L."""
    ffn_dim: int
    """f."""
    text_tokens: int = 0
    """Tokens of a caption, of all encoders together, as trimmed; 0 without cross-attention."""
    ffn_matrices: int = 3
    """3 in a SwiGLU, 2 in the paper's audio network."""

    def flops(self, tokens: int) -> int:
        """Of one training step on a sample of N tokens; a multiplication and an addition are two.

        Forward, a token: projections of self- and cross-attention 2L(4d^2 + 2d^2), feed-forward 2L*3df, attention to N tokens 4LNd and to
        T of text 4LTd; keys and values of the text 4Ld^2 T once a sample.
        """
        d, layers, text = self.dim, self.num_layers, self.text_tokens
        projections = 2 * (4 + (2 if text else 0)) * d * d
        feed_forward = 2 * self.ffn_matrices * d * self.ffn_dim
        attention = 4 * (tokens + text) * d
        return TRAINING * layers * (tokens * (projections + feed_forward + attention) + 4 * d * d * text)


@dataclass(frozen=True)
class BatchRule:
    """What bounds a batch beside its tokens."""

    flops_per_batch: float | None = None
    """FLOP budget of a global batch, so that steps of all buckets take equally long; needs `cost`."""
    cost: TransformerCost | None = None
    """What a sample costs; without it, its tokens."""
    divisor: int = 1
    """Sizes of global batches are multiples of this: the number of ranks a run is planned for, or a multiple of it."""
    every_bucket: bool = False
    """Refuse data that leaves a bucket of the set without samples."""

    def __post_init__(self) -> None:
        if self.divisor < 1:
            raise ValueError(f"batch.divisor is {self.divisor}, wanted at least 1")
        if self.flops_per_batch is not None and self.cost is None:
            raise ValueError("batch.flops_per_batch needs batch.cost: dim, num_layers and ffn_dim of the network")

    def sample_cost(self, tokens: int) -> int:
        """FLOPs of a sample; its tokens where no network is given."""
        return tokens if self.cost is None else self.cost.flops(tokens)

    def size(self, tokens: int, tokens_per_batch: int) -> int:
        """Samples of that many tokens in a global batch; 0 when not even `divisor` of them fit."""
        size = tokens_per_batch // tokens
        if self.flops_per_batch is not None:
            size = min(size, int(self.flops_per_batch // self.sample_cost(tokens)))
        return size // self.divisor * self.divisor


def num_tokens(bucket: Bucket, buckets: BucketSet, resolution: int) -> int:
    """Tokens of one sample: ceil(T / 8) x H / 16 x W / 16 [S §3.1.1, §3.1.3]."""
    frames, height, width = pixel_shape(bucket, buckets, resolution)
    return -(-frames // 8) * (height // 16) * (width // 16)


def pixel_shape(bucket: Bucket, buckets: BucketSet, resolution: int) -> tuple[int, int, int]:
    """(T, H, W) of a bucket's samples."""
    width, height = buckets.frame_size(bucket, resolution)
    return bucket.num_frames, height, width


def check_sizes(
    sizes: Mapping[str, int], rule: BatchRule, world_size: int, bound: str = "data.tokens_per_batch"
) -> None:
    """Raises UsageError when a bucket's samples fit no batch, or when a batch has too few for the ranks; `bound` is the setting that bounds
    a batch beside the rule."""
    if none := sorted(key for key, size in sizes.items() if size < 1):
        many = f"{rule.divisor} samples (batch.divisor)" if rule.divisor > 1 else "one sample"
        raise UsageError(
            f"bucket {', '.join(none)}: {many} cost more than a batch may; raise {bound}"
            f"{' or data.batch.flops_per_batch' if rule.flops_per_batch else ''}, or choose a subset without"
        )
    if few := sorted(key for key, size in sizes.items() if size < world_size):
        raise UsageError(
            f"bucket {', '.join(few)}: batches of {min(sizes[key] for key in few)} samples for {world_size} ranks; use fewer ranks, or "
            f"raise {bound} or data.batch.flops_per_batch (a new stage: it changes the batches)"
        )


def rank_efficiency(size: int, world_size: int) -> float:
    """Mean over maximum cost of the ranks in one step: 1 when the size divides. All samples of a batch cost the same."""
    return size / world_size / -(-size // world_size)


def step_efficiency(costs: Mapping[K, float], shares: Mapping[K, float]) -> float:
    """Mean over maximum cost of the steps: `costs` of a step by bucket, `shares` of the steps by bucket; or by whatever tells
    steps apart."""
    keys = list(shares)
    weights = np.array([shares[key] for key in keys], dtype=float)
    values = np.array([costs[key] for key in keys], dtype=float)
    return float((weights * values).sum() / weights.sum() / values.max())
