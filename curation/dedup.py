"""Near-duplicates: clips whose frames match frame for frame, the groups they form, and the best copy of each, which is kept.

Two clips match when, at one shift in time, at least `min_share` of the shorter one's frames have a cosine of `threshold` and more: so
trimmed copies match, and clips that share a title or a black frame do not. Nothing here knows Spark, a lake or a model.

Axes: N vectors of all clips, K vectors of one clip, D numbers of a vector.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from curation.embedders.base import CopyRules

NEAR_DUPLICATE = "near_duplicate"
"""The reason of a rejected copy."""

SAME_LOOK = 0.98
"""Frames of one clip this near to each other are looked up once; every frame is compared in the end."""

SLACK = 0.05
"""Neighbours are looked for this far below the threshold: those looked up stand for others."""

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


@dataclass(frozen=True)
class Copy:
    """A clip that another one stands for."""

    kept: str
    """The best of its group."""
    match: Match
    """Why: with the kept clip itself, or with another copy on the way to it."""


def find_matches(
    clip_ids: Sequence[str], places: np.ndarray, vectors: np.ndarray, rules: CopyRules, min_share: float = 0.5
) -> list[Match]:
    """Every match among clips, sorted by ids. `clip_ids` (N), `places` (N,) and `vectors` (N, D) may come in any order."""
    clips = ClipVectors.sorted_from(clip_ids, places, vectors, rules)
    pairs = sorted({pair for chunk in _candidates(clips, rules) for pair in chunk})
    found = (clips.compare(first, second, rules, min_share) for first, second in pairs)
    return [match for match in found if match is not None]


@dataclass(frozen=True)
class ClipVectors:
    """Vectors sorted by clip and place; those of frames that tell nothing are left out."""

    ids: list[str]
    starts: np.ndarray
    """First row of each clip, and the number of rows at the end."""
    places: np.ndarray
    vectors: np.ndarray
    num_frames: np.ndarray
    """Of each clip, with those that tell nothing."""

    @classmethod
    def sorted_from(
        cls, clip_ids: Sequence[str], places: np.ndarray, vectors: np.ndarray, rules: CopyRules
    ) -> "ClipVectors":
        """Of rows in any order."""
        names, number = np.unique(np.asarray(clip_ids, dtype="U"), return_inverse=True)
        order = np.lexsort((places, number))
        counts = np.bincount(number, minlength=len(names))
        if rules.is_telling is not None:
            order = order[rules.is_telling(vectors)[order]]
        starts = np.searchsorted(number[order], np.arange(len(names) + 1))
        return cls(names.tolist(), starts, np.asarray(places)[order], vectors[order], counts)

    def rows(self, clip: int) -> slice:
        """Rows of a clip by its number."""
        return slice(self.starts[clip], self.starts[clip + 1])

    def compare(self, first: int, second: int, rules: CopyRules, min_share: float) -> Match | None:
        """The match of two clips by their numbers, as they are or mirrored; None where they have none."""
        a, b = self.rows(first), self.rows(second)
        shorter = min(self.num_frames[first], self.num_frames[second])
        others = [self.vectors[b]] + ([rules.mirrored(self.vectors[b])] if rules.mirrored else [])
        best = (0, 0.0, False)
        for is_mirrored, other in enumerate(others):
            num, mean = best_shift(self.vectors[a] @ other.T, self.places[a], self.places[b], rules.threshold)
            best = max(best, (num, mean, bool(is_mirrored)), key=lambda found: found[:2])
        num, mean, is_mirrored = best
        if num == 0 or num < min_share * shorter:
            return None
        return Match(self.ids[first], self.ids[second], mean, round(num / int(shorter), 4), is_mirrored)


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


def _candidates(clips: ClipVectors, rules: CopyRules) -> Iterator[set[tuple[int, int]]]:
    """Numbers of clips that have a frame in common, the smaller first: what is compared in full."""
    from curation.neighbours import make_index, near_pairs

    rows = np.flatnonzero(_is_looked_up(clips))
    if not len(rows):
        return
    owner = np.searchsorted(clips.starts, rows, side="right") - 1
    looks = clips.vectors[rows]
    index = make_index(looks)
    for mirror in [None] + ([rules.mirrored] if rules.mirrored else []):
        queries = looks if mirror is None else mirror(looks)
        for query, found in near_pairs(index, queries, rules.threshold - SLACK, MAX_NEIGHBOURS):
            pairs = np.sort(np.stack([owner[query], owner[found]], axis=1), axis=1)
            yield {(int(a), int(b)) for a, b in np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)}


def _is_looked_up(clips: ClipVectors) -> np.ndarray:
    """(N,) bool: rows unlike those taken of the same clip before; a still clip has one."""
    taken = np.ones(len(clips.vectors), bool)
    for clip in np.flatnonzero(np.diff(clips.starts) > 1):
        rows = clips.rows(clip)
        near = clips.vectors[rows] @ clips.vectors[rows].T >= SAME_LOOK
        for row in range(1, len(near)):
            taken[rows.start + row] = not (near[row, :row] & taken[rows.start : rows.start + row]).any()
    return taken


def group_copies(matches: Iterable[Match]) -> list[list[str]]:
    """Clips connected by matches, each group sorted, groups in the order of their first clip."""
    parent: dict[str, str] = {}

    def root(clip_id: str) -> str:
        while parent.setdefault(clip_id, clip_id) != clip_id:
            parent[clip_id] = clip_id = parent[parent[clip_id]]
        return clip_id

    for match in matches:
        a, b = sorted((root(match.first), root(match.second)))
        parent[b] = a
    groups: dict[str, list[str]] = {}
    for clip_id in sorted(parent):
        groups.setdefault(root(clip_id), []).append(clip_id)
    return list(groups.values())


def choose_copies(matches: Sequence[Match], quality: Mapping[str, tuple]) -> dict[str, Copy]:
    """The clips to drop, by id. Of each group the one of highest `quality` is kept; of equals the one whose id comes first."""
    of_clip: dict[str, list[Match]] = {}
    for match in matches:
        of_clip.setdefault(match.first, []).append(match)
        of_clip.setdefault(match.second, []).append(match)
    copies = {}
    for group in group_copies(matches):
        kept = min(group, key=lambda clip_id: (*(-value for value in quality[clip_id]), clip_id))
        for clip_id in group:
            if clip_id != kept:
                copies[clip_id] = Copy(kept, _reason(clip_id, kept, of_clip[clip_id]))
    return copies


def _reason(clip_id: str, kept: str, matches: Sequence[Match]) -> Match:
    """The match with the kept clip, or else the nearest."""
    return max(matches, key=lambda m: (kept in (m.first, m.second), m.similarity, m.share, m.first, m.second))


def clip_quality(clip: Mapping, video: Mapping) -> tuple[float, float, float]:
    """(pixels, bytes a second of its file, seconds) of rows of `clips` and `videos`: what makes a copy the best, most weighty first."""
    seconds = (clip["end_pts"] - clip["start_pts"]) * clip["tb_num"] / clip["tb_den"]
    bytes_per_second = video["size_bytes"] / (video["duration"] or seconds)
    return float(clip["width"] * clip["height"]), bytes_per_second, seconds


def describe_copy(clip_id: str, copy: Copy) -> str:
    """What a person reads: the clip kept, and how alike they are."""
    match = copy.match
    other = match.second if match.first == clip_id else match.first
    text = f"similarity {match.similarity:.4f} over {match.share:.0%} of its frames" + ", mirrored" * match.is_mirrored
    return f"copy of {copy.kept}: {text}" if other == copy.kept else f"copy of {copy.kept}, through {other}: {text}"
