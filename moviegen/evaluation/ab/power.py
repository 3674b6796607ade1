"""How many items a study takes: the sampling error of a net win rate, and what it takes to see a difference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

USUAL = (0.40, 0.35)
"""Shares of wins and losses of two models that are nearly alike, a quarter of the items ties. Our decision."""


@dataclass(frozen=True)
class PowerRow:
    """A study of so many items."""

    n: int
    sigma: float
    """Standard error of the net win rate, in points."""
    half_width: float
    """Half the 95 % interval, in points."""
    smallest: float
    """Net win rate that is found significant four times of five, in points."""


def sigma_of(win: float, loss: float, n: int) -> float:
    """Standard error, in points, of the net win rate of n items of which these shares (0..1) are won and lost."""
    if n < 1 or min(win, loss) < 0 or win + loss > 1:
        raise ValueError(f"win {win}, loss {loss}, n {n}: wanted shares that add up to at most 1, and an item at least")
    return 100 * math.sqrt((win + loss - (win - loss) ** 2) / n)


def items_for(half_width: float, win: float = USUAL[0], loss: float = USUAL[1], level: float = 0.95) -> int:
    """Items that make the interval this many points wide to either side."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    return math.ceil((z * sigma_of(win, loss, 1) / half_width) ** 2)


def items_to_see(net: float, decided: float = sum(USUAL), level: float = 0.95, power: float = 0.8) -> int:
    """Items that make a true net win rate (points) significant with this power, where this share of items is not a tie."""
    z = NormalDist().inv_cdf((1 + level) / 2) + NormalDist().inv_cdf(power)
    share = net / 100
    return math.ceil(z**2 * (decided - share**2) / share**2)


def power_table(
    sizes: Sequence[int], decided: float = sum(USUAL), level: float = 0.95, power: float = 0.8
) -> list[PowerRow]:
    """One row a size, of two models that are alike but for chance, this share of the items decided either way."""
    z = NormalDist()
    rows = []
    for n in sizes:
        sigma = sigma_of(decided / 2, decided / 2, n)
        total = z.inv_cdf((1 + level) / 2) + z.inv_cdf(power)
        smallest = 100 * total * math.sqrt(decided / (n + total**2))  # solves net = total * sigma(net)
        rows.append(PowerRow(n, sigma, z.inv_cdf((1 + level) / 2) * sigma, smallest))
    return rows
