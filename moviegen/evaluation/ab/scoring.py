"""`moviegen eval ab score KEY VOTES...`: votes and key to win rates, over all items, by concept and by motion level."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from moviegen.errors import UsageError
from moviegen.evaluation.intervals import wilson

from .agreement import Agreement, agreement
from .axes import Axis, Scale
from .key import Item, Key, read_key
from .power import USUAL, items_for
from .votes import BadRow, Vote, Votes, read_votes
from .win_rates import Ballots, Over, WinRate, win_rate

WANTED_HALF_WIDTH = 5.0
"""Points: a wider interval is warned of, with the items it would take. Our decision."""

FEW_ITEMS = 20
"""A group of fewer items is marked: its interval is more word than number. Our decision."""


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
class RaterRow:
    """What one rater did."""

    rater: str
    num_votes: int
    left_share: float
    """Of the votes that are no tie; a half is expected."""
    tie_share: float
    checks_passed: int
    num_checks: int
    repeats_same: int
    """Answers that came out alike when the pair was shown again, sides swapped."""
    num_repeats: int
    seconds: float
    """Median over pairs; NaN when unknown."""
    is_left_out: bool


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
    raters = tuple(_rater_rows(read.votes, config.min_checks))
    left_out = {row.rater for row in raters if row.is_left_out}
    ballots = _ballots(key, read.votes, left_out, config.min_raters)
    axes = [axis for axis in key.axes if ballots[axis.name]]
    if not axes:
        raise UsageError(f"none of the votes can be used: {_why_none(read, left_out)}")
    groups = tuple(_groups(key, axes, ballots, config))
    return Score(
        key.study, key.a, key.b, groups, {axis.name: agreement(ballots[axis.name]) for axis in axes}, raters, read.bad,
        len([item for item in key.items.values() if not item.is_check]), sum(vote.kind == "vote" for vote in read.votes),
        read.num_duplicates, read.num_changed, read.num_files,
        tuple(_warnings(key, read, raters, ballots, groups)), config.over, config.resamples, key.prompts_sha256, len(key.skipped),
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


def _rater_rows(votes: Sequence[Vote], min_checks: float) -> Iterator[RaterRow]:
    by_rater: dict[str, list[Vote]] = defaultdict(list)
    for vote in votes:
        by_rater[vote.rater].append(vote)
    for rater, own in sorted(by_rater.items(), key=lambda row: (int(row[0].partition(":")[0]), row[0])):
        usual = [vote for vote in own if vote.kind == "vote"]
        decided = [vote for vote in usual if vote.answer != "tie"]
        checks = _passed_checks(own)
        first = {(vote.item, vote.axis): vote.value for vote in usual}
        again = [first.get((vote.item, vote.axis)) == vote.value for vote in own if vote.kind == "repeat"]
        times = list({vote.item: vote.seconds for vote in usual if vote.seconds is not None}.values())
        yield RaterRow(
            rater, len(usual), _share(decided, "left"), _share(usual, "tie"), sum(checks), len(checks), sum(again), len(again),
            median(times) if times else math.nan, bool(checks) and sum(checks) < min_checks * len(checks),
        )  # fmt: skip


def _share(votes: Sequence[Vote], answer: str) -> float:
    return sum(vote.answer == answer for vote in votes) / len(votes) if votes else math.nan


def _passed_checks(votes: Sequence[Vote]) -> list[bool]:
    """A check is passed when more of its axes went to the clean side than to the spoilt one."""
    sums: dict[str, int] = defaultdict(int)
    for vote in votes:
        if vote.kind == "check":
            sums[vote.item] += vote.value
    return [total > 0 for total in sums.values()]


def _warnings(
    key: Key, read: Votes, raters: Sequence[RaterRow], ballots: dict[str, dict], groups: Sequence[Group]
) -> Iterator[str]:
    yield from _by_axes((axis.name, words) for axis in key.axes for words in _missing(key, axis, ballots[axis.name]))
    scale = {axis.name: axis.scale for axis in key.axes}
    overall = [group.rate for group in groups if group.by == "all"]
    yield from _by_axes((rate.axis, words) for rate in overall for words in _too_few(rate, scale[rate.axis]))
    sheets = {row.rater.partition(":")[0] for row in raters}
    if missing := [str(n) for n in range(1, key.num_raters + 1) if str(n) not in sheets]:
        yield f"no votes of sheet{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
    yield from _side_bias(read.votes)
    if out := [row.rater for row in raters if row.is_left_out]:
        yield f"left out for failed attention checks: {', '.join(out)}"
    if read.num_duplicates or read.num_changed:
        yield f"{read.num_duplicates} votes stood twice, {read.num_changed} were given again otherwise: the latest counts"
    if read.bad:
        rows = "; ".join(f"{row.file}{f' row {row.row}' if row.row else ''}: {row.reason}" for row in read.bad[:3])
        yield f"{len(read.bad)} files or rows of votes are not counted: {rows}{'; ...' if len(read.bad) > 3 else ''}"


def _by_axes(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """One line a text, with the axes that it is of in front."""
    axes: dict[str, list[str]] = defaultdict(list)
    for axis, words in rows:
        axes[words].append(axis)
    for words, names in axes.items():
        yield f"{', '.join(names)}: {words}"


def _missing(key: Key, axis: Axis, items: Ballots) -> Iterator[str]:
    num_items = sum(not item.is_check for item in key.items.values())
    if len(items) < num_items:
        yield f"{num_items - len(items)} of {num_items} items have no vote that counts"
    if short := sum(len(votes) < axis.num_raters for votes in items.values()):
        yield f"{short} items have fewer than {axis.num_raters} raters"
    if many := sum(len(votes) > axis.num_raters for votes in items.values()):
        yield f"{many} items have more than {axis.num_raters} raters: a sheet was answered by two people"


def _too_few(rate: WinRate, scale: Scale) -> Iterator[str]:
    half = (rate.high - rate.low) / 2 * (1 if scale == "net" else 2)
    if math.isnan(half):
        yield f"{rate.n} item says nothing of how sure it is"
    elif rate.sigma == 0:
        yield f"all {rate.n} items came out alike; a bootstrap of them says nothing, the interval is Wilson's"
    elif half > WANTED_HALF_WIDTH:
        shares = USUAL if rate.n < FEW_ITEMS else (rate.win / 100, rate.loss / 100)
        needed = items_for(WANTED_HALF_WIDTH, *shares)
        yield f"too few items for a net win rate within 5 points: {rate.n}, it takes about {math.ceil(needed / 50) * 50:,}"


def _side_bias(votes: Sequence[Vote]) -> Iterator[str]:
    decided = [vote for vote in votes if vote.kind == "vote" and vote.answer != "tie"]
    if decided:
        left = wilson(sum(vote.answer == "left" for vote in decided), len(decided))
        if not left.low <= 0.5 <= left.high:
            yield f"raters lean to one side: {100 * left.value:.0f} % of the {len(decided)} decided votes are for the left"
