"""Two evaluations beside each other, item by item: a difference of pairs sees what two means with their intervals hide."""

import math
from dataclasses import dataclass
from pathlib import Path

from moviegen.errors import UsageError
from moviegen.evaluation.intervals import LEVEL, paired_bootstrap
from moviegen.evaluation.results import read_runs


@dataclass(frozen=True)
class Change:
    """One metric of two runs, b - a."""

    metric: str
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    p_holm: float | None
    """p after Holm's correction for the number of metrics compared: of twenty, one is below 0.05 by chance."""
    n: int
    """Items that both have."""
    verdict: str
    """better, worse, same (not told apart), or why nothing can be said."""


def compare_runs(a: Path, b: Path, run_a: str | None = None, run_b: str | None = None, seed: int = 0) -> list[Change]:
    """Every metric of either, by name. Raises UsageError where a folder holds several runs and none is named."""
    first, second = _one_run(a, run_a), _one_run(b, run_b)
    names = sorted({row["metric"] for row in (*first[1], *second[1])})
    return _holm([_compare(name, first, second, seed) for name in names])


Run = tuple[list[dict], list[dict]]
"""(scores, metrics)."""


def _one_run(folder: Path, run: str | None) -> Run:
    metrics = read_runs(folder, "eval_metrics", run)
    runs = sorted({row["run"] for row in metrics})
    if len(runs) > 1:
        raise UsageError(f"{folder}: {len(runs)} runs, {', '.join(runs)}; say which with --run_a or --run_b")
    return read_runs(folder, "eval_scores", runs[0]), metrics


def _compare(name: str, first: Run, second: Run, seed: int) -> Change:
    of_a, of_b = (next((row for row in run[1] if row["metric"] == name), None) for run in (first, second))
    value_a, value_b = (row["value"] if row else None for row in (of_a, of_b))
    about = of_a or of_b
    assert about is not None, "the name comes from one of them"
    if of_a is None or of_b is None:
        return _silent(name, value_a, value_b, f"only in {'b' if of_a is None else 'a'}")
    if (of_a["weights"], of_a["version"]) != (of_b["weights"], of_b["version"]):
        return _silent(name, value_a, value_b, "not comparable: other weights, another version or other real clips")
    if about["kind"] == "set":
        return _sets(name, of_a, of_b)
    return _pairs(name, first, second, about["better"], seed)


def _pairs(name: str, first: Run, second: Run, better: str, seed: int) -> Change:
    before, after = (
        {row["item"]: row for row in run[0] if row["metric"] == name and row["status"] == "ok"}
        for run in (first, second)
    )
    both = sorted(set(before) & set(after))
    if odd := [item for item in both if before[item]["reference"] != after[item]["reference"]]:
        return _silent(name, None, None, f"not comparable: {len(odd)} items have another reference, such as {odd[0]}")
    if len(both) < 2:
        return _silent(name, None, None, f"{len(both)} items in both")
    a, b = ([rows[item]["value"] for item in both] for rows in (before, after))
    found = paired_bootstrap(a, b, seed=seed)
    means = sum(a) / len(a), sum(b) / len(b)
    return Change(name, *means, found.value, found.low, found.high, found.p_value, None, len(both), better)


def _sets(name: str, of_a: dict, of_b: dict) -> Change:
    """Two distances with their intervals: told apart where the difference exceeds both errors together. Of Frechet's those without
    their bias, which are in the middle of their intervals: of fewer clips the distance as it is would be larger."""
    n = min(of_a["n"], of_b["n"])
    if None in (of_a["value"], of_b["value"], of_a["low"], of_b["low"]):
        return _silent(name, of_a["value"], of_b["value"], "no interval of one of them")
    a, b = ((row["low"] + row["high"]) / 2 for row in (of_a, of_b))
    half = math.hypot(*((row["high"] - row["low"]) / 2 for row in (of_a, of_b)))
    from statistics import NormalDist

    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    p = 2 * (1 - NormalDist().cdf(abs(b - a) / (half / z))) if half else 1.0
    return Change(name, a, b, b - a, b - a - half, b - a + half, p, None, n, of_a["better"])


def _silent(name: str, a: float | None, b: float | None, why: str) -> Change:
    return Change(name, a, b, None, None, None, None, None, 0, why)


def _holm(changes: list[Change]) -> list[Change]:
    """The changes with p corrected for their number, and the verdict that follows."""
    tested = sorted((change for change in changes if change.p_value is not None), key=lambda c: (c.p_value, c.metric))
    corrected, largest = {}, 0.0
    for place, change in enumerate(tested):
        assert change.p_value is not None
        largest = max(largest, min(1.0, change.p_value * (len(tested) - place)))
        corrected[change.metric] = largest
    return [_judged(change, corrected.get(change.metric)) for change in changes]


def _judged(change: Change, p_holm: float | None) -> Change:
    if p_holm is None:
        return change
    better, difference = change.verdict, change.difference or 0.0
    verdict = "same"
    if p_holm < 1 - LEVEL and difference:
        is_better = (difference > 0) == (better == "higher")
        verdict = "differs" if better == "none" else "better" if is_better else "worse"
    return Change(**{**vars(change), "p_holm": p_holm, "verdict": verdict})


def show_diff(rows: list[Change]) -> None:
    """Prints the table on stdout."""
    width = max((len(row.metric) for row in rows), default=6)
    print(
        f"{'metric':<{width}}  {'a':>10}  {'b':>10}  {'b - a':>10}  {'95 % interval':>23}  {'p (Holm)':>8}  {'n':>5}  b is"
    )
    for row in rows:
        a, b, change = ("-" if x is None else f"{x:.5g}" for x in (row.a, row.b, row.difference))
        interval = "" if row.low is None or row.high is None else f"{row.low:.3g} .. {row.high:.3g}"
        p = "" if row.p_holm is None else f"{row.p_holm:.3g}"
        print(
            f"{row.metric:<{width}}  {a:>10}  {b:>10}  {change:>10}  {interval:>23}  {p:>8}  {row.n or '':>5}  {row.verdict}"
        )
