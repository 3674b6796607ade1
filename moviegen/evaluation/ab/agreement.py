"""How much raters agree: in pairs, above chance by Fleiss, and by Krippendorff with votes missing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .win_rates import Ballots, vote_table

Distance = Literal["nominal", "interval"]


@dataclass(frozen=True)
class Agreement:
    """Of the raters of one axis; NaN where nothing can be said."""

    raw: float
    """Share of pairs of raters of the same item that gave the same answer."""
    fleiss: float
    """Kappa over the items that have the most usual number of raters: 1 full agreement, 0 chance."""
    alpha: float
    """Krippendorff's, nominal: A, tie and B are three unlike answers."""
    alpha_interval: float
    """Krippendorff's, interval: A against B is two steps apart, a tie one."""
    num_items: int
    """With two raters or more."""


def agreement(ballots: Ballots) -> Agreement:
    """The agreement of an axis's raters."""
    table = vote_table(ballots)
    counts = count_answers(table, (1, 0, -1))
    several = counts[counts.sum(1) > 1]
    return Agreement(
        raw_agreement(several),
        fleiss_kappa(several),
        krippendorff_alpha(table),
        krippendorff_alpha(table, "interval"),
        len(several),
    )


def count_answers(table: np.ndarray, answers: Sequence[float]) -> np.ndarray:
    """(items, answers): raters of each item that gave each answer."""
    return np.stack([(table == answer).sum(1) for answer in answers], axis=1)


def raw_agreement(counts: np.ndarray) -> float:
    """Share of agreeing pairs, over all pairs of raters of the same item."""
    pairs = counts.sum(1) * (counts.sum(1) - 1)
    return float((counts * (counts - 1)).sum() / pairs.sum()) if pairs.sum() else math.nan


def fleiss_kappa(counts: np.ndarray) -> float:
    """Fleiss' kappa of (items, answers) counts; items of another than the most usual number of raters are left out, as it wants."""
    totals = counts.sum(1)
    if not len(totals):
        return math.nan
    usual = int(np.bincount(totals).argmax())
    same = counts[totals == usual]
    if usual < 2:
        return math.nan
    observed = float(((same**2).sum(1) - usual).mean() / (usual * (usual - 1)))
    shares = same.sum(0) / same.sum()
    chance = float((shares**2).sum())
    return math.nan if chance == 1 else (observed - chance) / (1 - chance)


def krippendorff_alpha(table: np.ndarray, distance: Distance = "nominal") -> float:
    """Krippendorff's alpha of (items, raters) values, NaN where one is missing: 1 - observed disagreement over that of chance."""
    answers = np.unique(table[np.isfinite(table)])
    counts = count_answers(table, answers)
    counts = counts[counts.sum(1) > 1].astype(np.float64)
    if not len(counts) or len(answers) < 2:
        return math.nan
    weights = 1 / (counts.sum(1) - 1)
    coincidences = (counts * weights[:, None]).T @ counts - np.diag((counts * weights[:, None]).sum(0))
    totals = coincidences.sum(0)
    gaps = answers[:, None] - answers[None, :]
    apart = gaps**2 if distance == "interval" else (gaps != 0).astype(np.float64)
    expected = float((np.outer(totals, totals) * apart).sum()) / (totals.sum() - 1)
    return math.nan if expected == 0 else 1 - float((coincidences * apart).sum()) / expected
