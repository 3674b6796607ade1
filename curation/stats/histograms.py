"""Histograms as plain numbers for inline SVG: bars, and the bounds of the rules drawn in."""

from dataclasses import dataclass

from .duck import Answer

WIDTH, HEIGHT = 300, 90
"""Drawing area in SVG units."""


@dataclass(frozen=True)
class Bar:
    """One bin, in SVG units."""

    x: float
    y: float
    width: float
    height: float
    verdict: str
    """`in` when every score of the bin passes the metric's rules, `out` when none does, `cut` when a bound lies inside, or one
    batch's bound lets pass what another's does not."""
    text: str
    """What the pointer shows."""


@dataclass(frozen=True)
class Histogram:
    """A metric's scores and where rules cut them."""

    metric: str
    num_clips: int
    low: float
    high: float
    bars: tuple[Bar, ...]
    bounds: tuple[tuple[float, str], ...]
    """(x, words) of each bound within the drawing."""
    rules: tuple[str, ...]
    """Bounds in words, without the metric's name where they begin with it."""


def histograms(bins: Answer, rules: list[dict]) -> list[Histogram]:
    """One histogram a metric; metrics that a rule bounds come first, in the order of the rules. A rule may come several times, with the
    bounds of several batches."""
    by_metric: dict[str, list[dict]] = {}
    for record in bins.records():
        by_metric.setdefault(record["metric"], []).append(record)
    order = {rule["metric"]: rule["position"] for rule in reversed(rules)}
    names = sorted(by_metric, key=lambda name: (order.get(name, len(rules)), name))
    return [_histogram(name, by_metric[name], [rule for rule in rules if rule["metric"] == name]) for name in names]


def _histogram(metric: str, bins: list[dict], rules: list[dict]) -> Histogram:
    width = bins[0]["bin_to"] - bins[0]["bin_from"]
    low = bins[0]["bin_from"] - bins[0]["bin"] * width
    high = low + 20 * width
    edges = [edge for rule in rules for edge in (rule["min"], rule["max"]) if edge is not None]
    left, right = min([low, *edges]), max([high, *edges])
    scale = WIDTH / max(right - left, 1e-12)
    highest = max(record["num_clips"] for record in bins)
    bars = tuple(_bar(record, left, scale, width * scale, highest, rules) for record in bins)
    bounds = tuple((round((edge - left) * scale, 1), f"{edge:g}") for edge in edges)
    total = sum(record["num_clips"] for record in bins)
    return Histogram(
        metric, total, left, right, bars, bounds, tuple(rule["bound"].removeprefix(f"{metric} ") for rule in rules)
    )


def _bar(record: dict, left: float, scale: float, width: float, highest: int, rules: list[dict]) -> Bar:
    height = max(1.0, HEIGHT * record["num_clips"] / highest)
    low, high = record["bin_from"], record["bin_to"]
    verdict = _verdict(low, high, rules)
    text = f"{record['bin_from']:g} to {record['bin_to']:g}: {record['num_clips']} clips"
    x = (record["bin_from"] - left) * scale
    return Bar(round(x, 1), round(HEIGHT - height, 1), round(max(width - 0.6, 1.0), 1), round(height, 1), verdict, text)


def _verdict(low: float, high: float, rules: list[dict]) -> str:
    edges = [edge for rule in rules for edge in (rule["min"], rule["max"]) if edge is not None]
    if any(low < edge < high for edge in edges):
        return "cut"
    is_out: dict[str, set[bool]] = {}
    for rule in rules:
        lower, upper = rule["min"], rule["max"]
        outside = (lower is not None and high <= lower) or (upper is not None and low >= upper)
        is_out.setdefault(rule["rule"], set()).add(outside)
    if {True} in is_out.values():
        return "out"
    return "cut" if {True, False} in is_out.values() else "in"
