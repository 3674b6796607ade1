"""Do 95 % intervals hold the truth in 95 of 100 evaluations? Simulated studies with a known truth.

    python benchmarks/eval_intervals.py                  1,000 studies of each kind, about a minute on one core
    python benchmarks/eval_intervals.py --studies 200

Asked: 93 to 97 %. Net win rates are votes of one rater an item, ties count 0; three raters are the mean of an item's votes, resampled in
two stages, items then raters, which is wider than it must be: raters' noise is in the items' spread already. Distances are of normal
features whose distance is known. Exit code 1 when a kind that must be right is not.
"""

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np

from moviegen.evaluation.distances import Gaussian, frechet_interval, frechet_of, mmd, mmd_interval
from moviegen.evaluation.intervals import bootstrap, paired_bootstrap, two_stage_bootstrap, wilson

ASKED = (0.93, 0.97)
VOTES, SHARES = np.array([1.0, 0.0, -1.0]), (0.40, 0.25, 0.35)
D = 8

Study = Callable[[np.random.Generator, int], tuple[float, float, float]]
"""(generator, seed) -> (low, high, truth)."""


def net_win(n: int, expand: bool = True) -> Study:
    """Votes of n items."""

    def study(generator: np.random.Generator, seed: int) -> tuple[float, float, float]:
        found = bootstrap(generator.choice(VOTES, size=n, p=SHARES), seed=seed, expand=expand)
        return found.low, found.high, SHARES[0] - SHARES[2]

    return study


def three_raters(is_two_stage: bool) -> Study:
    """Items that differ, each voted on by three raters."""

    def study(generator: np.random.Generator, seed: int) -> tuple[float, float, float]:
        lean = generator.uniform(-0.5, 0.5, 100) + 0.05
        votes = np.sign(lean[:, None] + generator.normal(0, 0.5, (100, 3)))
        truth = _mean_vote()
        found = two_stage_bootstrap(votes.tolist(), seed=seed) if is_two_stage else bootstrap(votes.mean(1), seed=seed)
        return found.low, found.high, truth

    return study


def _mean_vote() -> float:
    from scipy.special import ndtr

    lean = np.linspace(-0.45, 0.55, 100_001)
    return float((2 * ndtr(lean / 0.5) - 1).mean())


def scores(n: int) -> Study:
    """Scores of a metric of items, skewed as LPIPS and flicker are."""

    def study(generator: np.random.Generator, seed: int) -> tuple[float, float, float]:
        found = bootstrap(generator.gamma(2.0, size=n), seed=seed)
        return found.low, found.high, 2.0

    return study


def share(generator: np.random.Generator, seed: int) -> tuple[float, float, float]:
    """A share of 60 items."""
    found = wilson(generator.binomial(60, 0.3), 60)
    return found.low, found.high, 0.3


def pairs(generator: np.random.Generator, seed: int) -> tuple[float, float, float]:
    """Two models' scores of the same items."""
    a = generator.normal(30, 5, 100)
    found = paired_bootstrap(a, a + 0.2 + generator.normal(0, 1, 100), seed=seed)
    return found.low, found.high, 0.2


def _sets(generator: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    return generator.normal(size=(n, D)), generator.normal(size=(n, D)) * 1.3 + 0.4


def frechet_study(n: int) -> Study:
    """Features of n clips each, the distance without its bias."""
    one = np.eye(D)
    truth = frechet_of(Gaussian(n, np.zeros(D), one), Gaussian(n, np.full(D, 0.4), 1.69 * one))

    def study(generator: np.random.Generator, seed: int) -> tuple[float, float, float]:
        found = frechet_interval(*_sets(generator, n))[1]
        return found.low, found.high, truth

    return study


def frechet_raw(n: int) -> Study:
    """The same interval, held against the distance as everyone prints it: what its bias is."""
    inner = frechet_study(n)

    def study(generator: np.random.Generator, seed: int) -> tuple[float, float, float]:
        _, _, truth = inner(np.random.default_rng(0), 0)
        raw, found = frechet_interval(*_sets(generator, n))
        half = (found.high - found.low) / 2
        return raw - half, raw + half, truth

    return study


def mmd_study(n: int) -> Study:
    """The unbiased MMD; its truth is the mean of many."""
    generator = np.random.default_rng(99)
    truth = float(np.mean([mmd(*_sets(generator, 400)) for _ in range(60)]))

    def study(generator: np.random.Generator, seed: int) -> tuple[float, float, float]:
        found = mmd_interval(*_sets(generator, n))
        return found.low, found.high, truth

    return study


KINDS: dict[str, tuple[Study, bool]] = {
    "net win rate, 100 items": (net_win(100), True),
    "net win rate, 381 items (Bench-Mini)": (net_win(381), True),
    "net win rate, 20 items": (net_win(20), True),
    "net win rate, 20 items, plain percentile as the paper's": (net_win(20, expand=False), False),
    "three raters, 100 items": (three_raters(False), True),
    "three raters, two-stage": (three_raters(True), False),
    "skewed scores, 200 items": (scores(200), True),
    "Wilson, a share of 60": (share, True),
    "paired difference, 100 items": (pairs, True),
    "Frechet without its bias, D = 8, n = 200": (frechet_study(200), True),
    "Frechet as printed everywhere, D = 8, n = 200": (frechet_raw(200), False),
    "MMD, D = 8, n = 200": (mmd_study(200), True),
}
"""Kind -> (a study, must it hold)."""


def coverage(study: Study, number: int) -> float:
    """Share of studies whose interval holds the truth."""
    generator = np.random.default_rng(20241004)
    hits = 0
    for seed in range(number):
        low, high, truth = study(generator, seed)
        hits += low <= truth <= high
    return hits / number


def main() -> int:
    """Prints a row a kind; whether all that must hold do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    args = parser.parse_args()
    is_right = True
    print(
        f"{args.studies} studies of each kind; asked: {ASKED[0]:.0%} to {ASKED[1]:.0%}\n| kind | coverage | | CPU-s |\n|---|---|---|---|"
    )
    for name, (study, must) in KINDS.items():
        start = time.process_time()
        found = coverage(study, args.studies)
        holds = ASKED[0] <= found <= ASKED[1]
        is_right &= holds or not must
        verdict = "yes" if holds else "NO" if must else "no, to compare"
        print(f"| {name} | {found:.1%} | {verdict} | {time.process_time() - start:.1f} |", flush=True)
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
