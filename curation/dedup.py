"""Near-duplicates: clips whose frames match frame for frame, the groups they form, and the best copy of each, which is kept.

Two clips match when, at one shift in time, at least `min_share` of the shorter one's frames have a cosine of `threshold` and more: so
trimmed copies match, and clips that share a title or a black frame do not. Nothing here knows Spark, a lake or a model.

Axes: N vectors of all clips, K vectors of one clip, D numbers of a vector.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from curation.clusters import connected
from curation.embedders.base import CopyRules
from curation.vectors import ClipVectors

NEAR_DUPLICATE = "near_duplicate"
"""The reason of a rejected copy."""

SAME_LOOK = 0.98
"""Frames of one clip this near to each other are looked up once; every frame is compared in the end."""

SLACK = 0.05
"""Neighbours are looked for this far below the threshold: those looked up stand for others."""

ALL_ASK = 4
"""Looks of a clip up to which each is looked up; of more, every second one: half of the time, and a match is half of the frames."""

COSINES = 1 << 22
"""Cosines within clips in memory at a time."""

MAX_NEIGHBOURS = 64
"""Neighbours of a frame at most: what thousands of clips share, such as a channel's title, tells nothing."""


@dataclass(frozen=True)
class DedupConfig:
    """How near-duplicates are found."""

    embedder: str = "fingerprint"
    """One of `embed.embedders`."""
    threshold: float | None = None
    """Cosine, 0..1, from which on two frames are the same; null: the embedder's own (fingerprint 0.75, sscd 0.99 as the paper)."""
    min_share: float = 0.5
    """Share, 0..1, of the shorter clip's frames that must match at one shift in time; our decision."""
    across_batches: bool = True
    """Drop copies of clips that this subset keeps in earlier batches, too; their vectors are then held in memory with this batch's. Earlier
    is what comes first by name, as for files of the same bytes."""

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 < self.threshold <= 1:
            raise ValueError(f"dedup.threshold is {self.threshold}, wanted above 0 and at most 1")
        if not 0 < self.min_share <= 1:
            raise ValueError(f"dedup.min_share is {self.min_share}, wanted above 0 and at most 1")


@dataclass(frozen=True)
class Match:
    """Two clips that show the same."""

    first: str
    second: str
    """The larger clip_id."""
    similarity: float
    """Mean cosine of the frames that match."""
    share: float
    """Matching frames, of the shorter clip's."""
    is_mirrored: bool

    def other(self, clip_id: str) -> str:
        """The one that is not this clip."""
        return self.second if clip_id == self.first else self.first


@dataclass(frozen=True)
class Copy:
    """A clip that another one stands for."""

    kept: str
    """The best of its group."""
    match: Match
    """Why: with the kept clip itself, or with another copy on the way to it."""


def find_matches(
    clips: ClipVectors, rules: CopyRules, min_share: float = 0.5, earlier: Collection[str] = frozenset()
) -> list[Match]:
    """Every match among clips, sorted by ids, but those of `earlier` clips with each other."""
    if not len(clips):
        return []
    telling = np.ones(len(clips.vectors), bool) if rules.is_telling is None else rules.is_telling(clips.vectors)
    is_earlier = np.fromiter((clip_id in earlier for clip_id in clips.ids), bool, len(clips))
    pairs = sorted({pair for found in _candidates(clips, telling, is_earlier, rules) for pair in found})
    found = (_compare(clips, telling, first, second, rules, min_share) for first, second in pairs)
    return [match for match in found if match is not None]


def _compare(
    clips: ClipVectors, telling: np.ndarray, first: int, second: int, rules: CopyRules, min_share: float
) -> Match | None:
    """The match of two clips by their numbers, as they are or mirrored; None where they have none."""
    (a, places_a, num_a), (b, places_b, num_b) = (_telling_part(clips, telling, clip) for clip in (first, second))
    best = (0, 0.0, False)
    for is_mirrored, other in enumerate([b] + ([rules.mirrored(b)] if rules.mirrored else [])):
        num, mean = best_shift(a @ other.T, places_a, places_b, rules.threshold)
        best = max(best, (num, mean, bool(is_mirrored)), key=lambda found: found[:2])
    num, mean, is_mirrored = best
    shorter = min(num_a, num_b)
    if num == 0 or num < min_share * shorter:
        return None
    return Match(clips.ids[first], clips.ids[second], mean, round(num / shorter, 4), is_mirrored)


def _telling_part(clips: ClipVectors, telling: np.ndarray, clip: int) -> tuple[np.ndarray, np.ndarray, int]:
    """(vectors, places) of a clip's frames that tell something, and the number of all its frames."""
    rows = clips.rows(clip)
    return clips.vectors[rows][telling[rows]], clips.places[rows][telling[rows]], int(rows.stop - rows.start)


def best_shift(cosines: np.ndarray, places_a: np.ndarray, places_b: np.ndarray, threshold: float) -> tuple[int, float]:
    """(matching frames, their mean cosine) at the shift in time that has most. `cosines` is (K_a, K_b)."""
    if not cosines.size:
        return 0, 0.0
    cosines = np.round(cosines.astype(np.float64), 4)  # the last bits depend on how many rows are multiplied at once
    hit = cosines >= threshold
    shifts = (places_b[None, :] - places_a[:, None])[hit]
    if not len(shifts):
        return 0, 0.0
    counts = np.bincount(shifts - shifts.min())
    means = np.bincount(shifts - shifts.min(), cosines[hit]) / np.maximum(counts, 1)
    best = max(range(len(counts)), key=lambda shift: (counts[shift], means[shift]))
    return int(counts[best]), round(float(means[best]), 4)


def _candidates(
    clips: ClipVectors, telling: np.ndarray, is_earlier: np.ndarray, rules: CopyRules
) -> Iterator[set[tuple[int, int]]]:
    """Numbers of clips that have a frame in common, the smaller first: what is compared in full."""
    from curation.neighbours import make_index, near_pairs

    owners = clips.owners
    looks = np.flatnonzero(distinct_looks(clips, telling))
    asking = looks[asks(owners[looks]) & ~is_earlier[owners[looks]]]
    if not len(asking):
        return
    index = make_index(clips.vectors, looks)
    for turn in [lambda vectors: vectors] + ([rules.mirrored] if rules.mirrored else []):
        for row, found in near_pairs(index, clips.vectors, asking, rules.threshold - SLACK, MAX_NEIGHBOURS, turn):
            pairs = np.sort(np.stack([owners[row], owners[looks[found]]], axis=1), axis=1)
            yield {(int(a), int(b)) for a, b in np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)}


def distinct_looks(clips: ClipVectors, telling: np.ndarray) -> np.ndarray:
    """(N,) bool: telling rows unlike those taken of the same clip before; a still clip has one. Clips of equal length are done together."""
    taken = telling.copy()
    lengths = np.diff(clips.starts)
    for length in np.unique(lengths[lengths > 1]).tolist():
        together = max(1, COSINES // length**2)
        of_length = clips.starts[:-1][lengths == length]
        for start in range(0, len(of_length), together):
            rows = of_length[start : start + together, None] + np.arange(length)
            taken[rows] = _unlike_before(clips.vectors[rows], telling[rows])
    return taken


def _unlike_before(vectors: np.ndarray, telling: np.ndarray) -> np.ndarray:
    """(C, K) bool of (C, K, D): telling vectors unlike those taken of the same clip before."""
    near = vectors @ vectors.transpose(0, 2, 1) >= SAME_LOOK
    taken = telling.copy()
    for place in range(1, near.shape[1]):
        taken[:, place] &= ~(near[:, place, :place] & taken[:, :place]).any(axis=1)
    return taken


def asks(owners: np.ndarray) -> np.ndarray:
    """(R,) bool: of a clip's looks those that are looked up: all of `ALL_ASK`, every second of more. `owners` (R,) are sorted.

    Those that do not ask are found all the same. A match is missed only where it consists of every other look, seen from both clips.
    """
    _, first, counts = np.unique(owners, return_index=True, return_counts=True)
    rank = np.arange(len(owners)) - np.repeat(first, counts)
    return (rank % 2 == 0) | np.repeat(counts <= ALL_ASK, counts)


def group_copies(matches: Iterable[Match]) -> list[list[str]]:
    """Clips connected by matches, each group sorted, groups in the order of their first clip."""
    matches = list(matches)
    names = sorted({name for match in matches for name in (match.first, match.second)})
    number = {name: place for place, name in enumerate(names)}
    groups: dict[int, list[str]] = {}
    found = connected(len(names), [(number[match.first], number[match.second]) for match in matches])
    for name, group in zip(names, found.tolist(), strict=True):
        groups.setdefault(group, []).append(name)
    return list(groups.values())


def choose_copies(
    matches: Sequence[Match], quality: Mapping[str, tuple], earlier: Collection[str] = frozenset()
) -> dict[str, Copy]:
    """The clips to drop, by id. Of each group the one of highest `quality` is kept; of equals the one whose id comes first.

    Where a group has `earlier` clips, these stand for it, whatever their quality, and all others are dropped.
    """
    of_clip: dict[str, list[Match]] = {}
    for match in matches:
        of_clip.setdefault(match.first, []).append(match)
        of_clip.setdefault(match.second, []).append(match)
    copies = {}
    for group in group_copies(matches):
        standing = [clip_id for clip_id in group if clip_id in earlier] or [_best(group, quality)]
        for clip_id in group:
            if clip_id not in standing:
                copies[clip_id] = _copy_of(clip_id, standing, of_clip[clip_id])
    return copies


def _best(group: Sequence[str], quality: Mapping[str, tuple]) -> str:
    return min(group, key=lambda clip_id: (*(-value for value in quality[clip_id]), clip_id))


def _copy_of(clip_id: str, standing: Sequence[str], matches: Sequence[Match]) -> Copy:
    """Of the clip that stands for it: the nearest one that it matches itself; else the first, and the match that leads there."""
    best = max(matches, key=lambda m: (m.other(clip_id) in standing, m.similarity, m.share, m.first, m.second))
    return Copy(best.other(clip_id) if best.other(clip_id) in standing else standing[0], best)


def clip_quality(clip: Mapping, video: Mapping) -> tuple[float, float, float]:
    """(pixels, bytes a second of its file, seconds) of rows of `clips` and `videos`: what makes a copy the best, most weighty first."""
    seconds = (clip["end_pts"] - clip["start_pts"]) * clip["tb_num"] / clip["tb_den"]
    bytes_per_second = video["size_bytes"] / (video["duration"] or seconds)
    return float(clip["width"] * clip["height"]), bytes_per_second, seconds


def describe_copy(clip_id: str, copy: Copy) -> str:
    """What a person reads: the clip kept, and how alike they are."""
    match, other = copy.match, copy.match.other(clip_id)
    text = f"similarity {match.similarity:.4f} over {match.share:.0%} of its frames" + ", mirrored" * match.is_mirrored
    return f"copy of {copy.kept}: {text}" if other == copy.kept else f"copy of {copy.kept}, through {other}: {text}"
