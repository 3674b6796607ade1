"""Who sees what: each item gets its raters, each rater an order of their own, each showing a side left and a side right.

Everything is drawn from the study's secret, so that the same study comes out again and nobody without it can tell the sides.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from .axes import Axis, most_raters

TrialKind = Literal["vote", "repeat", "check"]


@dataclass(frozen=True)
class Trial:
    """One pair shown to one rater."""

    id: str
    rater: int
    """Number of the rater's sheet, from 1."""
    item: str
    kind: TrialKind
    """A vote, the same pair again with its sides swapped, or a check of attention."""
    left: str
    """`A` or `B`; of a check `clean` or `damaged`."""
    axes: tuple[str, ...]


def opaque_id(secret: str, *words: object, length: int = 12) -> str:
    """A name that tells nothing to whoever has not the secret."""
    text = "\x1f".join(map(str, words))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()[:length]


def generator_of(secret: str, purpose: str) -> np.random.Generator:
    """Random numbers of one purpose."""
    digest = hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))


def assign(
    secret: str,
    items: Sequence[str],
    axes: Sequence[Axis],
    *,
    num_raters: int,
    checks: Sequence[str] = (),
    num_repeats: int = 0,
) -> list[Trial]:
    """Trials in the order in which each rater sees them, rater by rater.

    Every item gets, of each axis, as many raters as the axis needs; loads differ by one item at most. Of an item's raters half see A
    on the left, or half but one. Every rater gets every check, and `num_repeats` of their items a second time, later, sides swapped.
    Raises ValueError when the raters are too few.
    """
    per_item = most_raters(axes)
    if num_raters < per_item:
        raise ValueError(f"{num_raters} raters, wanted at least {per_item}: an item needs as many different ones")
    random = generator_of(secret, "assignment")
    by_rater: dict[int, list[Trial]] = {rater: [] for rater in range(1, num_raters + 1)}
    for place, index in enumerate(random.permutation(len(items))):
        chosen = [(place * per_item + k) % num_raters + 1 for k in range(per_item)]
        first = int(random.integers(2))
        sides = random.permutation([("A", "B")[(first + k) % 2] for k in range(per_item)])
        for k, rater in enumerate(chosen):
            rank = (k + place) % per_item  # axes of fewer raters take turns among an item's
            asked = tuple(axis.name for axis in axes if rank < axis.num_raters)
            if asked:
                by_rater[rater].append(_trial(secret, rater, items[index], "vote", str(sides[k]), asked))
    names = tuple(axis.name for axis in axes)
    return [
        trial
        for rater, trials in by_rater.items()
        for trial in _order(secret, rater, trials, checks, num_repeats, names, random)
    ]


def _order(
    secret: str, rater: int, trials: list[Trial], checks: Sequence[str], num_repeats: int, names: tuple[str, ...],
    random: np.random.Generator,
) -> list[Trial]:  # fmt: skip
    """A rater's trials shuffled, checks strewn in, repeats of early ones at the end."""
    for item in checks:
        trials = [*trials, _trial(secret, rater, item, "check", ("clean", "damaged")[random.integers(2)], names)]
    shuffled = [trials[i] for i in random.permutation(len(trials))]
    early = [trial for trial in shuffled if trial.kind == "vote"][: len(shuffled) // 2]
    picks = random.permutation(len(early))[:num_repeats]
    again = [replace(early[i], kind="repeat", left="A" if early[i].left == "B" else "B") for i in picks]
    tail = shuffled[len(shuffled) // 2 :]
    for trial in again:
        tail.insert(int(random.integers(len(tail) + 1)), replace(trial, id=_id(secret, rater, trial.item, "repeat")))
    return shuffled[: len(shuffled) // 2] + tail


def _trial(secret: str, rater: int, item: str, kind: TrialKind, left: str, axes: tuple[str, ...]) -> Trial:
    return Trial(_id(secret, rater, item, kind), rater, item, kind, left, axes)


def _id(secret: str, rater: int, item: str, kind: TrialKind) -> str:
    return opaque_id(secret, "trial", rater, item, kind)
