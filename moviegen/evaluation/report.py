"""One HTML file about an evaluation that opens from disk: no script, no link, pictures and short clips inside."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from moviegen.contracts.lake import atomic_write
from moviegen.disk import writing
from moviegen.errors import MovieGenError
from moviegen.evaluation.intervals import Interval, bootstrap
from moviegen.evaluation.metrics import metric_of
from moviegen.evaluation.pairs import Item
from moviegen.messages import printable

REPORT_FILE = "report-{}.html"
TEMPLATES = Path(__file__).parent / "templates"

WIDTH, HEIGHT, BARS = 220, 70, 24
"""Of a histogram, px and number."""

SHEETS, ITEMS_A_SHEET = 3, 5
"""Metrics whose worst items are shown, and how many."""

MAX_CLIP_BYTES, MAX_BYTES = 400_000, 6_000_000
"""Of a clip that is put into the page, and of all: the page is meant to be sent."""

MAX_FAULTS = 200
PLAYED = {".mp4": "video/mp4", ".webm": "video/webm"}
THUMB_PX = 110
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram, px."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Plot:
    """A histogram of the items' scores."""

    metric: str
    unit: str
    n: int
    low: float
    high: float
    mean_x: float
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Shown:
    """An item in a sheet."""

    name: str
    value: float
    prompt: str
    video: str
    images: tuple[str, ...]


def write_report(
    folder: Path, run: str, scores: Sequence[dict], metrics: Sequence[dict], about: dict, items: Sequence[Item]
) -> Path:
    """Writes the page; its path."""
    import jinja2

    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
    environment.filters["number"] = number
    good: dict[str, list[dict]] = {}
    for row in scores:
        if row["status"] == "ok":
            good.setdefault(row["metric"], []).append(row)
    tag_metrics = [row["metric"] for row in metrics if row["kind"] == "mean" and row["value"] is not None][:6]
    faults = _faults(scores)
    page = environment.get_template("report.html").render(
        run=run,
        about=about,
        metrics=metrics,
        meanings={row["metric"]: metric_of(row["metric"]).meaning for row in metrics},
        plots=[plot(name, [row["value"] for row in rows]) for name, rows in sorted(good.items()) if len(rows) > 1],
        width=WIDTH,
        height=HEIGHT,
        sheets=_sheets(good, {item.name: item for item in items}),
        tags=_tags(good, tag_metrics),
        tag_metrics=tag_metrics,
        faults=faults[:MAX_FAULTS],
        more_faults=max(0, len(faults) - MAX_FAULTS),
    )
    path = folder / REPORT_FILE.format(run)
    with writing(path), atomic_write(path, "page") as temporary:
        temporary.write_text(printable(page), encoding="utf-8")
    return path


def number(value: float | None) -> str:
    """Five digits that count; a dash where there is none."""
    return "–" if value is None else f"{value:.5g}"


def plot(metric: str, values: Sequence[float]) -> Plot:
    """The histogram of scores."""
    import numpy as np

    low, high = min(values), max(values)
    counts, _ = np.histogram(values, BARS, (low, high) if high > low else (low - 0.5, low + 0.5))
    step = WIDTH / BARS
    heights = counts / counts.max() * (HEIGHT - 2)
    bars = tuple(
        Bar(round(i * step, 1), round(HEIGHT - h, 1), round(step - 1, 1), round(float(h), 1))
        for i, h in enumerate(heights)
        if h
    )
    mean_x = (sum(values) / len(values) - low) / (high - low) * WIDTH if high > low else WIDTH / 2
    return Plot(metric, metric_of(metric).unit, len(values), low, high, round(mean_x, 1), bars)


def _sheets(good: Mapping[str, list[dict]], items: Mapping[str, Item]) -> list[dict]:
    """The worst items of the first metrics that have a better way."""
    ranked = [
        name for name in good if metric_of(name).better != "none" and len({row["value"] for row in good[name]}) > 1
    ]
    room = MAX_BYTES
    sheets = []
    for name in ranked[:SHEETS]:
        sign = 1 if metric_of(name).better == "higher" else -1
        worst = sorted(good[name], key=lambda row: (sign * row["value"], row["item"]))[:ITEMS_A_SHEET]
        shown = []
        for row in worst:
            found = _shown(items[row["item"]], row["value"], room)
            room -= len(found.video) + sum(map(len, found.images))
            shown.append(found)
        sheets.append({"metric": name, "shown": shown})
    return sheets


def _shown(item: Item, value: float, room: int) -> Shown:
    prompt = item.prompt.text if item.prompt else ""
    path = item.path
    assert path is not None, "what has a score has a file"
    kind = PLAYED.get(path.suffix.lower())
    if kind and path.stat().st_size <= min(MAX_CLIP_BYTES, room * 3 // 4):
        return Shown(
            item.name, value, prompt, f"data:{kind};base64," + base64.b64encode(path.read_bytes()).decode(), ()
        )
    return Shown(item.name, value, prompt, "", _thumbnails(path) if room > 0 else ())


def _thumbnails(path: Path) -> tuple[str, ...]:
    """Three frames; none of a sound, or of what can no longer be read."""
    from moviegen.evaluation.clips import has_picture
    from moviegen.media.worker import guarded_call

    if not has_picture(path):
        return ()
    try:
        found = guarded_call("moviegen.evaluation.report.encode_thumbnails", path, timeout_s=TIMEOUT_S)
    except MovieGenError:
        return ()
    return tuple("data:image/jpeg;base64," + base64.b64encode(content).decode() for content in found)


def encode_thumbnails(path: Path) -> list[bytes]:
    """JPEGs of the first, middle and last frame. Runs in the guarded worker."""
    import io

    from PIL import Image

    from moviegen.evaluation.clips import read_clip

    frames = read_clip(path).frames
    found = []
    for place in sorted({0, len(frames) // 2, len(frames) - 1}):
        picture, content = Image.fromarray(frames[place]), io.BytesIO()
        width = max(1, round(picture.width * THUMB_PX / picture.height))
        picture.resize((width, THUMB_PX)).save(content, "JPEG", quality=75)
        found.append(content.getvalue())
    return found


def _tags(good: Mapping[str, list[dict]], names: Sequence[str]) -> list[dict]:
    """A row a tag, with the mean of each metric."""
    by_tag: dict[str, dict[str, list[float]]] = {}
    items: dict[str, set[str]] = {}
    for name in names:
        for row in good[name]:
            for tag in dict.fromkeys((row["tags"] or "").split(", ")):
                if tag:
                    by_tag.setdefault(tag, {}).setdefault(name, []).append(row["value"])
                    items.setdefault(tag, set()).add(row["item"])
    return [
        {"name": tag, "n": len(items[tag]), "cells": [_cell(found.get(name)) for name in names]}
        for tag, found in sorted(by_tag.items())
    ]


def _cell(values: Sequence[float] | None) -> Interval | None:
    return bootstrap(values) if values else None


def _faults(scores: Sequence[dict]) -> list[dict]:
    """Failed items with their reason, the metrics of one reason together."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in scores:
        if row["status"] == "failed":
            found.setdefault((row["item"], row["reason"] or ""), []).append(row["metric"])
    return [{"item": item, "reason": reason, "metrics": names} for (item, reason), names in sorted(found.items())]
