"""Lines over the steps of a stage as plain numbers for an SVG."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, LEFT, BOTTOM = 520, 190, 52, 20
"""px; the last two are the axes' room."""

MAX_POINTS = 400
"""Of a line: more are thinned to means, each of as many steps."""

COLORS = ("#2a7de1", "#c8553d", "#3a9d5d", "#8a5cc2", "#c79a1e", "#1ea0a8", "#d1589b", "#6d7a86")

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """One series."""

    name: str
    color: str
    path: str
    """Of an SVG polyline."""
    dots: tuple[tuple[float, float], ...]
    """px, where there are too few points for a line to tell."""
    text: str
    """The last value as the axis writes it."""


@dataclass(frozen=True)
class Tick:
    """A mark on an axis, px and text."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """Some series over the steps."""

    title: str
    about: str
    lines: tuple[Line, ...]
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    is_log: bool

    @property
    def is_moment(self) -> bool:
        """Whether there is one step alone: numbers tell that, a drawing is empty."""
        return len(self.x_ticks) == 1


def chart(
    title: str, about: str, series: Mapping[str, Points], *, from_zero: bool = False, percent: bool = False
) -> Chart | None:
    """The chart of the finite points; logarithmic where they span more than a factor of 30. None without a point."""
    kept = {name: thinned([p for p in points if math.isfinite(p[1])]) for name, points in series.items()}
    kept = {name: points for name, points in kept.items() if points}
    values = [value for points in kept.values() for _, value in points]
    if not values:
        return None
    low, high = (min(0.0, *values) if from_zero else min(values)), max(values)
    is_log = not from_zero and low > 0 and high > 30 * low
    first, last = (pick(step for points in kept.values() for step, _ in points) for pick in (min, max))
    scale = math.log if is_log else float

    def x(step: float) -> float:
        return round(LEFT + (step - first) / max(1e-9, last - first) * (WIDTH - LEFT - 8), 1)

    def y(value: float) -> float:
        span = scale(high) - scale(low) or 1.0
        return round(8 + (scale(high) - scale(value)) / span * (HEIGHT - BOTTOM - 8), 1)

    lines = []
    for number, (name, points) in enumerate(kept.items()):
        places = [(x(step), y(value)) for step, value in points]
        dots = tuple(places) if len(places) < 12 else ()
        path = " ".join(f"{a},{b}" for a, b in places)
        text = f"{points[-1][1]:.2%}" if percent else f"{points[-1][1]:.4g}"
        lines.append(Line(name, COLORS[number % len(COLORS)], path, dots, text))
    marks = [low, math.exp((scale(low) + scale(high)) / 2) if is_log else (low + high) / 2, high]
    y_ticks = tuple(Tick(y(value), f"{value:.1%}" if percent else f"{value:.3g}") for value in dict.fromkeys(marks))
    x_ticks = tuple(Tick(x(step), f"{step:.0f}") for step in dict.fromkeys((first, (first + last) // 2, last)))
    return Chart(title, about, tuple(lines), y_ticks, x_ticks, is_log)


def thinned(points: Points) -> list[tuple[float, float]]:
    """At most MAX_POINTS, each the mean of as many neighbours."""
    many = -(-len(points) // MAX_POINTS)
    if many < 2:
        return list(points)
    groups = [points[i : i + many] for i in range(0, len(points), many)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]
