"""Rows of the laboratory's table: a value, its 95% interval, what chance gets, what is wanted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moviegen.evaluation.intervals import bootstrap, wilson


@dataclass(frozen=True)
class Answer:
    """A row of the table."""

    capability: str
    question: str
    value: float
    low: float
    high: float
    """95% interval: Wilson's of shares, bootstrapped of decibels and of shares of onsets."""
    n: int
    chance: float | None
    """What guessing, or the plain way, gets."""
    unit: str = ""
    """Empty: a share."""
    wanted: float | None = None
    """What the issue asks for; more is better."""

    @property
    def is_reached(self) -> bool | None:
        """None where nothing is asked for."""
        return None if self.wanted is None else self.value >= self.wanted


@dataclass(frozen=True)
class Asked:
    """What a capability's measurement gives: rows of the table, and pictures to show."""

    answers: list[Answer]
    titles: list[str]
    clips: list
    """(T, H, W, 3) uint8 each, a title a clip; none where the product is no video."""


def share_answer(
    capability: str, question: str, right: int, n: int, chance: float | None, wanted: float | None = None
) -> Answer:
    """A row of `right` of `n`, under Wilson's interval."""
    interval = wilson(right, n)
    return Answer(capability, question, interval.value, interval.low, interval.high, n, chance, wanted=wanted)


def mean_answer(
    capability: str, question: str, values: Sequence[float], chance: float | None, **more: object
) -> Answer:
    """A row of a mean, its interval bootstrapped."""
    interval = bootstrap(np.asarray(values))
    ends = interval.value, interval.low, interval.high, len(values)
    return Answer(capability, question, *ends, chance, **more)  # type: ignore[arg-type]


def table_lines(answers: list[Answer]) -> list[str]:
    """The table as lines for a terminal."""
    lines = [f"{'capability':<12}{'question':<22}{'value':>9}{'95% interval':>24}{'n':>6}{'chance':>9}{'wanted':>9}"]
    for row in answers:
        interval = f"{shown(row.low, row.unit)} to {shown(row.high, row.unit)}"
        lines.append(
            f"{row.capability:<12}{row.question:<22}{shown(row.value, row.unit):>9}{interval:>24}{row.n:>6}"
            f"{shown(row.chance, row.unit):>9}{shown(row.wanted, row.unit):>9}"
        )
    return lines


def shown(value: float | None, unit: str) -> str:
    """A share in percent, a number with its unit, a dash for none."""
    if value is None:
        return "-"
    return f"{value:.1f} {unit}" if unit else f"{100 * value:.1f}%"
