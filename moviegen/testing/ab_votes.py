"""Studies and votes files with known outcomes: which items a model wins, loses and ties on each axis, as the page would save the votes."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moviegen.evaluation.ab.assignment import Trial, assign
from moviegen.evaluation.ab.axes import AXES, Axis, most_raters
from moviegen.evaluation.ab.key import Item, Key, write_key
from moviegen.evaluation.ab.page import VOTES_FORMAT


@dataclass(frozen=True)
class Counts:
    """Items of one axis by outcome."""

    win: int
    tie: int
    loss: int
    thirds: int = 0
    """Of three raters of one of the ties, so many prefer A: for axes whose items are means."""

    @property
    def n(self) -> int:
        """Items."""
        return self.win + self.tie + self.loss

    @property
    def net(self) -> float:
        """Net win rate in points."""
        return 100 * (self.win - self.loss + self.thirds / 3) / self.n


def counts_with_net(net: float, n: int, decided: float = 0.75, *, thirds: bool = False) -> Counts:
    """Counts of n items whose net win rate is the nearest to `net` there is, about this share of the items no tie."""
    difference, rest = divmod(round(3 * n * net / 100), 3) if thirds else (round(n * net / 100), 0)
    total = max(abs(difference), min(n - bool(rest), round(n * decided)))
    total -= (total - difference) % 2
    if total < abs(difference):
        total += 2
    return Counts((total + difference) // 2, n - total, (total - difference) // 2, rest)


def printed_counts(net: float, max_items: int, decimals: int, decided: float = 0.75, *, thirds: bool = False) -> Counts:
    """Counts of as many items as there are, at most `max_items`, whose net win rate is `net` to the last printed digit."""
    for n in range(max_items, max_items // 2, -1):
        found = counts_with_net(net, n, decided, thirds=thirds)
        if round(found.net, decimals) == round(net, decimals):
            return found
    return counts_with_net(net, max_items, decided, thirds=thirds)


def synthetic_key(
    items: Sequence[Item], axes: Sequence[str], *, a: str = "ours", b: str = "theirs", secret: str = "synthetic",  # noqa: S107
    num_raters: int | None = None, checks: Sequence[Item] = (), num_repeats: int = 0,
) -> Key:  # fmt: skip
    """The key of a study of no files."""
    chosen = tuple(AXES[name] for name in axes)
    num_raters = num_raters or most_raters(chosen)
    trials = assign(
        secret, [item.id for item in items], chosen, num_raters=num_raters, checks=[item.id for item in checks],
        num_repeats=num_repeats,
    )  # fmt: skip
    by_id = {item.id: item for item in (*items, *checks)}
    return Key("study000", secret, a, b, chosen, num_raters, by_id, {trial.id: trial for trial in trials})


Answer = Callable[[Trial, str], int | None]
"""(trial, axis) -> +1 for A (or the clean side), 0, -1, or None for no vote."""


def write_votes(key: Key, folder: Path, answer: Answer) -> list[Path]:
    """One votes file a sheet, as the page saves it."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for rater in range(1, key.num_raters + 1):
        votes = [
            vote
            for trial in key.trials.values()
            if trial.rater == rater
            for axis in trial.axes
            if (vote := _vote(trial, axis, answer(trial, axis)))
        ]
        record = {
            "format": VOTES_FORMAT,
            "study": key.study,
            "sheet": rater,
            "person": f"person{rater}",
            "votes": votes,
        }
        paths.append(folder / f"votes_{rater}.json")
        paths[-1].write_text(json.dumps(record))
    return paths


def _vote(trial: Trial, axis: str, value: int | None) -> dict | None:
    if value is None:
        return None
    toward_left = value if trial.left in ("A", "clean") else -value
    words = {1: "left", 0: "tie", -1: "right"}[toward_left]
    return {
        "trial": trial.id, "item": trial.item, "axis": axis, "answer": words, "reasons": [], "seconds": 9.5, "at": "2026-01-01T00:00:00Z",
    }  # fmt: skip


def write_study_of_counts(folder: Path, counts: Mapping[str, Counts], **names: str) -> tuple[Path, list[Path]]:
    """(key, votes files) of a study in which every axis comes out as counted; raters dissent where that changes no outcome."""
    num_items = max(found.n for found in counts.values())
    items = [Item(f"{i:010x}", f"{i:04d}", f"prompt {i}") for i in range(num_items)]
    key = synthetic_key(items, list(counts), **names)  # type: ignore[arg-type]
    wanted = {axis: _shuffled_outcomes(found, seed) for seed, (axis, found) in enumerate(counts.items())}
    seats = _seats(key)

    def answer(trial: Trial, axis: str) -> int | None:
        index, seat = int(trial.item, 16), seats[trial.item, axis].index(trial.rater)
        if index >= len(wanted[axis]):
            return None
        if counts[axis].thirds and index == wanted[axis].index(0):
            return int(seat < counts[axis].thirds)
        return ballot(AXES[axis], wanted[axis][index], index)[seat]

    path = folder / "study.key.json"
    folder.mkdir(parents=True, exist_ok=True)
    write_key(key, path)
    return path, write_votes(key, folder / "votes", answer)


def ballot(axis: Axis, outcome: int, number: int) -> tuple[int, ...]:
    """Votes of an item's raters that come to this outcome; where the majority decides, some items have a dissenter."""
    k = axis.num_raters
    if axis.rule == "mean":
        return (outcome,) * k
    if outcome == 0 and number % 3 == 0 and k % 3 == 0:
        return (1, 0, -1) * (k // 3)  # no majority
    dissent = {1: (0, -1), 0: (1, -1), -1: (0, 1)}[outcome]
    return (outcome,) * (k - 1) + ((outcome, *dissent)[number % 3],)


def _shuffled_outcomes(counts: Counts, seed: int) -> list[int]:
    values = np.repeat([1, 0, -1], [counts.win, counts.tie, counts.loss])
    return [int(value) for value in np.random.default_rng(seed).permutation(values)]


def _seats(key: Key) -> dict[tuple[str, str], list[int]]:
    """By item and axis: its raters."""
    found: dict[tuple[str, str], list[int]] = {}
    for trial in key.trials.values():
        for axis in trial.axes:
            found.setdefault((trial.item, axis), []).append(trial.rater)
    return found


def random_votes(
    axis: Axis, n: int, weights: tuple[float, float, float], random: np.random.Generator
) -> dict[str, dict[str, int]]:
    """Ballots of n items of a simulated study: each has chances of win, tie and loss of its own (Dirichlet), its raters answer by them."""
    table = _random_table(axis, n, weights, random)
    return {f"{i:06d}": {f"r{k}": int(value) for k, value in enumerate(row)} for i, row in enumerate(table)}


def true_net(axis: Axis, weights: tuple[float, float, float], random: np.random.Generator, n: int = 1_000_000) -> float:
    """The net win rate of such a population."""
    table = _random_table(axis, n, weights, random)
    if axis.rule == "mean":
        return 100 * float(table.mean())
    counts = np.stack([(table == kind).sum(1) for kind in (1, 0, -1)], axis=1)
    ordered = np.sort(counts, axis=1)
    best = np.array([1, 0, -1])[counts.argmax(1)]
    return 100 * float(np.where(ordered[:, 2] > ordered[:, 1], best, 0).mean())


def _random_table(axis: Axis, n: int, weights: tuple[float, float, float], random: np.random.Generator) -> np.ndarray:
    """(n, raters) of +1, 0, -1."""
    chances = random.dirichlet(weights, n).cumsum(1)
    draws = random.random((n, axis.num_raters))
    return 1 - (draws[:, :, None] > chances[:, None, :2]).sum(2)
