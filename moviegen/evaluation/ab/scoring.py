"""`moviegen eval ab score KEY VOTES...`: votes and key to win rates, over all items, by concept and by motion level."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from moviegen.errors import UsageError

from .agreement import Agreement, agreement
from .axes import Axis
from .doubts import warnings_of
from .key import Item, Key, read_key
from .raters import RaterRow, rater_rows
from .votes import BadRow, Vote, Votes, read_votes
from .win_rates import Ballots, Over, WinRate, win_rate


@dataclass(frozen=True)
class ScoreConfig:
    """Net win rates of a study's votes."""

    key: Path
    """<study>.key.json, which `eval ab make` wrote beside the study."""
    votes: list[Path] = field(default_factory=list)
    """Votes files (.json or .csv, as the page saves them), or folders of them."""
    output: Path | None = None
    """Folder of score.json, rates.csv, score.html and a table that `moviegen stats` reads; the table on stdout only unless given."""
    over: Over = "items"
    """Interval over other prompts (items, as the paper), other people (raters), or both."""
    resamples: int = 1000
    """Bootstraps [S §6.3.1]."""
    seed: int = 0
    """Of the bootstraps."""
    min_raters: int = 1
    """Items with fewer votes on an axis are left out of it."""
    min_checks: float = 0.0
    """Raters who pass a smaller share of their attention checks are left out."""
    json: bool = False
    """Print score.json on stdout instead of the table."""

    def __post_init__(self) -> None:
        if not self.votes:
            raise UsageError("no votes file: moviegen eval ab score KEY VOTES...")
        if self.resamples < 100:
            raise UsageError(
                f"--resamples is {self.resamples}, wanted at least 100: the ends of an interval need as many"
            )
        if self.min_raters < 1 or not 0 <= self.min_checks <= 1:
            raise UsageError(
                f"--min_raters {self.min_raters} --min_checks {self.min_checks}: wanted at least 1, and a share of 0..1"
            )


@dataclass(frozen=True)
class Group:
    """A win rate and which items it is of."""

    by: str
    """all, tag or motion_level."""
    value: str
    """The tag; empty of all."""
    rate: WinRate


@dataclass(frozen=True)
class Score:
    """Everything that a study's votes say."""

    study: str
    a: str
    b: str
    groups: tuple[Group, ...]
    agreements: dict[str, Agreement]
    raters: tuple[RaterRow, ...]
    bad: tuple[BadRow, ...]
    num_items: int
    num_votes: int
    num_duplicates: int
    num_changed: int
    num_files: int
    warnings: tuple[str, ...]
    over: Over
    resamples: int
    prompts_sha256: str
    skipped: int
    """Names that were left out when the study was made."""

    def rate(self, axis: str) -> WinRate:
        """The win rate over all items."""
        return next(group.rate for group in self.groups if group.by == "all" and group.rate.axis == axis)


def score(config: ScoreConfig) -> Score:
    """The score of a study. Raises UsageError when the key is none, or no vote of it can be used."""
    key = read_key(config.key)
    return score_votes(key, read_votes(key, config.votes), config)


def score_votes(key: Key, read: Votes, config: ScoreConfig) -> Score:
    """The score of votes that were read."""
    raters = tuple(rater_rows(read.votes, config.min_checks))
    left_out = {row.rater for row in raters if row.is_left_out}
    ballots = _ballots(key, read.votes, left_out, config.min_raters)
    axes = [axis for axis in key.axes if ballots[axis.name]]
    if not axes:
        raise UsageError(f"none of the votes can be used: {_why_none(read, left_out)}")
    groups = tuple(_groups(key, axes, ballots, config))
    overall = [group.rate for group in groups if group.by == "all"]
    return Score(
        key.study, key.a, key.b, groups, {axis.name: agreement(ballots[axis.name]) for axis in axes}, raters, read.bad,
        len([item for item in key.items.values() if not item.is_check]), sum(vote.kind == "vote" for vote in read.votes),
        read.num_duplicates, read.num_changed, read.num_files,
        tuple(warnings_of(key, read, raters, ballots, overall)), config.over, config.resamples, key.prompts_sha256, len(key.skipped),
    )  # fmt: skip


def _why_none(read: Votes, left_out: set[str]) -> str:
    if left_out:
        return f"all {len(left_out)} raters failed more checks than --min_checks allows"
    reasons = "; ".join(f"{row.file}: {row.reason}" for row in read.bad[:3])
    return reasons or "the files hold none, or items have fewer than --min_raters"


def _ballots(
    key: Key, votes: Sequence[Vote], left_out: set[str], min_raters: int
) -> dict[str, dict[str, dict[str, int]]]:
    """By axis, by item, by rater. Repeats and checks are no votes."""
    found: dict[str, dict[str, dict[str, int]]] = {axis.name: defaultdict(dict) for axis in key.axes}
    for vote in votes:
        if vote.kind == "vote" and vote.rater not in left_out:
            found[vote.axis][vote.item][vote.rater] = vote.value
    return {
        axis: {item: rows for item, rows in items.items() if len(rows) >= min_raters} for axis, items in found.items()
    }


def _groups(key: Key, axes: Sequence[Axis], ballots: dict[str, dict], config: ScoreConfig) -> Iterator[Group]:
    for by, value, items in _item_groups(key):
        for axis in axes:
            some: Ballots = {item: votes for item, votes in ballots[axis.name].items() if item in items}
            if some:
                rate = win_rate(axis, some, over=config.over, resamples=config.resamples, seed=config.seed)
                yield Group(by, value, rate)


def _item_groups(key: Key) -> Iterator[tuple[str, str, set[str]]]:
    """All items; those of each tag, most frequent first (an item counts for each of its tags); those of each motion level."""
    items = [item for item in key.items.values() if not item.is_check]
    yield "all", "", {item.id for item in items}
    tags = sorted({tag for item in items for tag in item.tags}, key=lambda tag: (-_count(items, tag), tag))
    for tag in tags:
        yield "tag", tag, {item.id for item in items if tag in item.tags}
    for level in sorted({item.motion_level for item in items} - {""}, key=_level_order):
        yield "motion_level", level, {item.id for item in items if item.motion_level == level}


def _count(items: Sequence[Item], tag: str) -> int:
    return sum(tag in item.tags for item in items)


def _level_order(level: str) -> tuple[int, str]:
    from moviegen.evaluation.prompt_sets import MOTION_LEVELS

    return (MOTION_LEVELS.index(level) if level in MOTION_LEVELS else len(MOTION_LEVELS), level)
