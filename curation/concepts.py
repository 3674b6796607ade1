"""Concept balance: of a common concept fewer clips are kept, by the inverse square root of its size; then the mix of aspects [S §3.2.1].

The clips of a cluster of n are kept with a chance that falls as 1/sqrt(n): min(1, k / sqrt(n)), with k such that as many are left as
wanted. Which ones is decided by a number of each clip's own, a hash: the same clips give the same decisions, and clips that come later
change few. Human-centred clips keep their frequency.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from curation.clusters import find_clusters, mix_bits

Humans = Literal["share", "all"]
"""`share`: a random part of them, so large that their share of all clips stays what it was; `all`: every one is kept."""

CONCEPT, ASPECT = "concept", "aspect"
"""Reasons of the clips that are not kept."""


@dataclass(frozen=True)
class BalanceConfig:
    """How many clips of which concepts and aspects are kept."""

    embedder: str = "clip"
    """Whose vectors say what a clip is about; one of `embed.embedders`. The paper's are joint embeddings of video and text [S §3.2.1]."""
    human_metric: str | None = None
    """Score that tells human-centred clips, `objects.person_count` say; null: none is exempt. The paper finds them by their text."""
    human_min: float = 1.0
    """Score from which a clip is human-centred."""
    num_clusters: int | None = None
    """Clusters to look for; None: the square root of the number of clips. The paper does not say how many; our decision."""
    merge_cosine: float = 0.95
    """Clusters whose centroids' cosine is this or more are one. Depends on the embedder; our decision."""
    keep_fraction: float = 0.817
    """Share of the clips, 0..1, that resampling keeps, before the mix of aspects takes its part [S Table 38: 0.94 of 1.15]."""
    num_clips: int | None = None
    """Clips that resampling keeps, in place of `keep_fraction`."""
    humans: Humans = "share"
    """How human-centred clips "keep their frequency" [S §3.2.1]: `share` keeps their share of all clips, `all` every one of them."""
    landscape_fraction: float | None = None
    """Share of clips, 0..1, at least as wide as high; paper: 0.6, and 0.8 of the high-resolution set [S §3.2.1]. None: as they come."""
    max_aspect_drop_fraction: float = 0.5
    """Share of the clips, 0..1, that the mix of aspects may cost at most; it is missed rather than the dataset lost. Our decision."""
    seed: int = 0
    """Another seed draws other clips."""

    def __post_init__(self) -> None:
        for name in ("num_clusters", "num_clips"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"balance.{name} is {value}, wanted at least 1, or nothing")
        for name in ("keep_fraction", "landscape_fraction", "max_aspect_drop_fraction"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"balance.{name} is {value}, wanted 0..1")
        if not -1 <= self.merge_cosine <= 1:
            raise ValueError(f"balance.merge_cosine is {self.merge_cosine}, wanted a cosine, -1..1")
        if self.humans not in get_args(Humans):
            raise ValueError(f"balance.humans is {self.humans!r}, wanted one of {', '.join(get_args(Humans))}")


@dataclass(frozen=True)
class ClipPool:
    """The clips among which the balance is struck: those of a subset that nothing else rejects."""

    clip_ids: Sequence[str]
    vectors: np.ndarray
    """(N, D) float32 of unit length, one a clip; see `vectors.mean_vectors`."""
    humans: frozenset[str] = frozenset()
    """Ids of the human-centred clips."""
    landscape: frozenset[str] = frozenset()
    """Ids of the clips at least as wide as high."""

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.clip_ids):
            raise ValueError(f"{len(self.clip_ids)} clips have vectors of shape {self.vectors.shape}, wanted one each")
        if len(set(self.clip_ids)) != len(self.clip_ids):
            raise ValueError("a clip occurs twice among the clips to balance, wanted one vector each")
        lengths = np.sqrt(np.einsum("nd,nd->n", self.vectors, self.vectors))
        if (odd := np.flatnonzero(~(np.abs(lengths - 1) < 1e-3))).size:
            where = f"the vector of clip {self.clip_ids[odd[0]]}"
            raise ValueError(f"{where} has length {lengths[odd[0]]:.4g}, wanted 1")


@dataclass(frozen=True)
class ClipBalance:
    """What the balance says of a clip."""

    clip_id: str
    cluster: int
    """Number of its concept, 0 the largest."""
    cluster_size: int
    """Clips of the concept that are resampled, itself among them: the n of 1/sqrt(n); of a human-centred clip, all that are such."""
    keep: bool
    reason: str
    """`concept` or `aspect`; empty when kept."""
    weight: float
    """Share of the clips like it that resampling keeps, 0..1."""

    @property
    def detail(self) -> str:
        """Why it is not kept, for people; empty when kept."""
        if self.keep:
            return ""
        if self.reason == ASPECT:
            return "one too many of its aspect, wide or high"
        return f"{self.weight:.0%} kept of the {self.cluster_size} clips like it (concept {self.cluster})"


@dataclass(frozen=True)
class Balance:
    """What the balance says of all clips, in the order of their ids: arrays of (N,), as `ClipBalance` has them."""

    clip_ids: tuple[str, ...]
    clusters: np.ndarray
    cluster_sizes: np.ndarray
    keep: np.ndarray
    reasons: np.ndarray
    weights: np.ndarray

    def __iter__(self) -> Iterator[ClipBalance]:
        columns = (self.clusters, self.cluster_sizes, self.keep, self.reasons, self.weights)
        return map(ClipBalance, self.clip_ids, *(column.tolist() for column in columns))


def balance(pool: ClipPool, config: BalanceConfig, subset: str, num_threads: int = 1) -> Balance:
    """Which clips are kept, and why not; the same for any order of the clips and any number of threads."""
    order = sorted(range(len(pool.clip_ids)), key=pool.clip_ids.__getitem__)
    clip_ids = tuple(pool.clip_ids[place] for place in order)
    vectors = pool.vectors if order == list(range(len(order))) else pool.vectors[order]
    draws = clip_draws(clip_ids, subset, config.seed)
    num_clusters = config.num_clusters or max(1, round(len(clip_ids) ** 0.5))
    clusters = find_clusters(
        vectors, mix_bits(draws, -1), min(num_clusters, max(1, len(clip_ids))), config.merge_cosine, num_threads
    )
    humans = _among(clip_ids, pool.humans)
    groups = np.where(humans, clusters.max(initial=-1) + 1, clusters)  # human-centred clips are a group of their own
    sizes = np.bincount(groups, minlength=1)
    shares = kept_shares(sizes, int(humans.sum()), config)
    chosen = lowest(draws, groups, whole_counts(shares * sizes))
    surplus = chosen & surplus_of_aspect(chosen, _among(clip_ids, pool.landscape), groups, draws, config)
    reasons = np.where(surplus, ASPECT, np.where(chosen, "", CONCEPT))
    return Balance(clip_ids, clusters, sizes[groups], chosen & ~surplus, reasons, shares[groups])


def kept_shares(sizes: np.ndarray, num_humans: int, config: BalanceConfig) -> np.ndarray:
    """(G,) share, 0..1, that resampling keeps of each group of these sizes; the last group is the human-centred clips, if there are any."""
    total = int(sizes.sum())
    target = min(total, round(total * config.keep_fraction) if config.num_clips is None else config.num_clips)
    if not num_humans:
        return share_out(sizes, np.sqrt(sizes), target) / np.maximum(sizes, 1)
    others = sizes[:-1]
    if config.humans == "share":
        kept_humans = target * num_humans / total
        kept_others = target - kept_humans
    else:
        kept_humans = num_humans
        kept_others = others.sum() * config.keep_fraction if config.num_clips is None else max(0, target - num_humans)
    kept = share_out(others, np.sqrt(others), kept_others)
    return np.append(kept, kept_humans) / np.maximum(sizes, 1)


def share_out(limits: np.ndarray, weights: np.ndarray, total: float) -> np.ndarray:
    """(G,) amounts in proportion to the weights, none above its limit, that add up to `total`, or to all limits where that is less."""
    limits, weights = limits.astype(np.float64), weights.astype(np.float64)
    if total >= limits.sum():
        return limits
    order = np.argsort(limits / np.maximum(weights, 1e-300), kind="stable")  # who reaches its limit first
    limit, weight = limits[order], weights[order]
    taken = np.cumsum(limit) - limit  # by the groups before, at their limits
    factors = (total - taken) / np.maximum(np.cumsum(weight[::-1])[::-1], 1e-300)
    first = np.argmax((weight > 0) & (factors * weight <= limit))  # the first that stays below its own
    return np.minimum(limits, max(factors[first], 0.0) * weights)


def whole_counts(amounts: np.ndarray) -> np.ndarray:
    """(G,) int64 with the sum of the amounts: each rounded down, then one more where most was cut off."""
    floors = np.floor(amounts + 1e-6).astype(np.int64)
    order = np.argsort(floors - amounts, kind="stable")
    floors[order[: max(0, round(float(amounts.sum())) - int(floors.sum()))]] += 1
    return floors


def surplus_of_aspect(
    chosen: np.ndarray, landscape: np.ndarray, groups: np.ndarray, draws: np.ndarray, config: BalanceConfig
) -> np.ndarray:
    """(N,) bool: chosen clips that are too many of their aspect. Every concept gives the same share of its clips, while it has them."""
    none = np.zeros(len(chosen), bool)
    wanted = config.landscape_fraction
    if wanted is None or not chosen.any():
        return none
    num_chosen = int(chosen.sum())
    too_wide = int((chosen & landscape).sum()) - wanted * num_chosen
    excess = too_wide / (1 - wanted) if too_wide > 0 else -too_wide / wanted if too_wide < 0 else 0.0
    number = min(round(excess), int(config.max_aspect_drop_fraction * num_chosen))
    candidates = np.flatnonzero(chosen & (landscape if too_wide > 0 else ~landscape))
    num_groups = int(groups.max()) + 1
    limits = np.bincount(groups[candidates], minlength=num_groups)
    amounts = share_out(limits, np.bincount(groups[chosen], minlength=num_groups), number)
    none[candidates[lowest(~draws[candidates], groups[candidates], whole_counts(amounts))]] = True
    return none


def lowest(draws: np.ndarray, groups: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(N,) bool: in each group the `counts[group]` clips of the lowest draws."""
    order = np.lexsort((draws, groups))
    sizes = np.bincount(groups, minlength=len(counts))
    ranks = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    found = np.zeros(len(groups), bool)
    found[order] = ranks < counts[groups[order]]
    return found


def clip_draws(clip_ids: Sequence[str], subset: str, seed: int) -> np.ndarray:
    """(N,) uint64: each clip's own random number in a subset, a hash."""
    salt = f"{subset}/{seed}/".encode()
    digests = b"".join(hashlib.blake2b(salt + each.encode(), digest_size=8).digest() for each in clip_ids)
    return np.frombuffer(digests, ">u8").astype(np.uint64)


def _among(clip_ids: Sequence[str], wanted: frozenset[str]) -> np.ndarray:
    return np.fromiter((each in wanted for each in clip_ids), bool, len(clip_ids))
