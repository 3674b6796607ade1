"""Does the 95 % interval of a net win rate hold the truth 95 times of 100? Simulated studies; wanted: 93-97 % of 1,000.

    python benchmarks/ab_coverage.py [--studies 1000]

Every item has its own chances of win, tie and loss (Dirichlet), every rater answers by them; the truth is the mean outcome of a million
items. Intervals over items, as the paper's, for majorities of three and six and for means of three, with few and many items.
"""

import argparse
import time

import numpy as np

from moviegen.evaluation.ab.axes import AXES
from moviegen.evaluation.ab.win_rates import Over, win_rate
from moviegen.testing.ab_votes import random_votes, true_net

SETTINGS: tuple[tuple[str, int, tuple[float, float, float], Over], ...] = (
    ("overall_quality", 100, (1.2, 0.75, 1.05), "items"),
    ("overall_quality", 381, (1.2, 0.75, 1.05), "items"),
    ("overall_quality", 1003, (1.2, 0.75, 1.05), "items"),
    ("overall_quality", 381, (2.4, 0.3, 0.6), "items"),
    ("realness", 100, (1.2, 0.75, 1.05), "items"),
    ("realness", 381, (1.8, 0.6, 0.6), "items"),
    ("audio_overall", 51, (1.2, 0.75, 1.05), "items"),
    ("audio_overall", 151, (2.0, 0.4, 0.6), "items"),
    ("edit_overall", 381, (2.0, 0.4, 0.6), "items"),
)
"""Axis, items, Dirichlet weights of win, tie and loss, what is drawn."""


def coverage(
    axis: str, n: int, weights: tuple[float, float, float], over: Over, studies: int
) -> tuple[float, float, float]:
    """(share of studies whose interval holds the truth, mean half-width, mean of sigma over the true spread)."""
    random = np.random.default_rng(n)
    found = AXES[axis]
    truth = true_net(found, weights, random)
    rates = [win_rate(found, random_votes(found, n, weights, random), over=over, seed=k) for k in range(studies)]
    low, high, sigma, value = (
        np.array([getattr(rate, name) for rate in rates]) for name in ("low", "high", "sigma", "value")
    )
    target = truth if found.scale == "net" else 50 + truth / 2
    held = (low <= target) & (target <= high)
    return float(held.mean()), float((high - low).mean() / 2), float(sigma.mean() / value.std(ddof=1))


def main() -> None:
    """Prints one line a setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    studies = parser.parse_args().studies
    start, shares = time.monotonic(), []
    print(f"{'axis':<18}{'items':>6}{'over':>8}{'held':>8}{'half width':>12}{'sigma / true':>14}")
    for axis, n, weights, over in SETTINGS:
        share, half, ratio = coverage(axis, n, weights, over, studies)
        shares.append(share)
        print(f"{axis:<18}{n:>6}{over:>8}{share:>8.1%}{half:>12.2f}{ratio:>14.3f}", flush=True)
    print(
        f"{min(shares):.1%} to {max(shares):.1%} of {studies} studies a line; wanted 93-97 %; {time.monotonic() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
