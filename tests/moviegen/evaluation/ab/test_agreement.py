"""Agreement: published examples to the last digit, and the ends of the scale."""

import math

import numpy as np
import pytest

from moviegen.evaluation.ab.agreement import agreement, count_answers, fleiss_kappa, krippendorff_alpha, raw_agreement

NAN = math.nan
FOUR_OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
).T
"""Krippendorff's own example (Computing Krippendorff's Alpha-Reliability, 2011, C): nominal 0.743, interval 0.849."""

FOURTEEN_RATERS = np.array(
    [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]
)  # fmt: skip
"""The usual worked example of Fleiss' kappa: 0.210."""


def test_published_examples():
    assert round(krippendorff_alpha(FOUR_OBSERVERS), 3) == 0.743
    assert round(krippendorff_alpha(FOUR_OBSERVERS, "interval"), 3) == 0.849
    assert round(fleiss_kappa(FOURTEEN_RATERS), 3) == 0.210


def test_full_agreement_and_chance():
    random = np.random.default_rng(0)
    same = np.repeat(random.integers(-1, 2, (50, 1)), 3, axis=1).astype(float)
    assert krippendorff_alpha(same) == pytest.approx(1)
    assert fleiss_kappa(count_answers(same, (1, 0, -1))) == pytest.approx(1)
    assert raw_agreement(count_answers(same, (1, 0, -1))) == 1
    chance = random.integers(-1, 2, (3000, 3)).astype(float)
    assert abs(krippendorff_alpha(chance)) < 0.03
    assert abs(fleiss_kappa(count_answers(chance, (1, 0, -1)))) < 0.03
    assert raw_agreement(count_answers(chance, (1, 0, -1))) == pytest.approx(1 / 3, abs=0.02)


def test_nothing_can_be_said():
    found = agreement({"a": {"r": 1}, "b": {"r": 0}})
    assert all(map(math.isnan, (found.raw, found.fleiss, found.alpha, found.alpha_interval)))
    assert found.num_items == 0
    alike = agreement({"a": {"r": 1, "s": 1}, "b": {"r": 1, "s": 1}})
    assert alike.raw == 1
    assert math.isnan(alike.alpha)  # one answer only: there is no chance to be above
