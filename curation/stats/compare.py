"""Two subsets or two runs beside each other: counts, funnels, what became of each clip, scores, buckets, captions."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen import __version__
from moviegen.contracts.lake import Lake, existing_lake
from moviegen.contracts.store import url_of
from moviegen.errors import UsageError

from .content import subset_names
from .duck import SQL, Answer, ask, ask_arrow, open_lake
from .histograms import HEIGHT, WIDTH
from .pages import number
from .pictures import Pictures, Thumb

if TYPE_CHECKING:
    import duckdb

TABLES = ("counts", "changes", "funnel", "metrics", "buckets", "captions")
"""What is compared; each has a file in `sql/compare`."""

SHOWN = 8
"""Clips shown of each kind of change."""

BINS = 20


@dataclass(frozen=True)
class Side:
    """One of the two."""

    place: Path
    subset: str
    lake: Lake
    connection: "duckdb.DuckDBPyConnection"

    @property
    def name(self) -> str:
        return f"{url_of(self.place) or self.place}#{self.subset}"


def query(name: str) -> str:
    """The text of a query of `sql/compare`."""
    return (SQL / "compare" / f"{name}.sql").read_text()


def open_side(text: str) -> Side:
    """The side that `LAKE` or `LAKE#SUBSET` means. Raises UsageError naming the subsets there are."""
    place, _, subset = text.rpartition("#") if "#" in text and not Path(text).exists() else (text, "", "")
    connection = open_lake(Path(place), kept=("clip_states",))
    names = subset_names(connection)
    if not subset and len(names) == 1:
        subset = names[0]
    if subset not in names:
        what = f"no subset {subset!r};" if subset else "which subset?"
        raise UsageError(f"moviegen stats compare {text}: {what} there are {', '.join(names)}; say {place}#{names[0]}")
    return Side(Path(place), subset, existing_lake(Path(place)), connection)


def compare_sides(a: Side, b: Side) -> dict[str, Answer]:
    """Name of a table -> its answer. Clips are the same where their ids are: of the same file, span and settings of the splitter."""
    both = both_sides(a, b)
    try:
        return {name: ask(both, query(name)) for name in TABLES}
    finally:
        both.close()


def both_sides(a: Side, b: Side) -> "duckdb.DuckDBPyConnection":
    """A connection that has a relation `<what>_a` and `<what>_b` of all that is compared."""
    import duckdb

    both = duckdb.connect(":memory:")
    for letter, side in (("a", a), ("b", b)):
        for what, question in _OF_A_SIDE.items():
            asked = question if " " in question else query(question)
            both.register(f"{what}_{letter}", ask_arrow(side.connection, asked, [side.subset]))
    return both


_OF_A_SIDE = {
    "clips": "sides",
    "metrics": "metric_side",
    "captions": "caption_side",
    "funnel": "select * exclude (subset) from funnel where subset = ?",
    "buckets": "select bucket, num_samples from bucket_fill where subset = ?",
}


def in_words(a: Side, b: Side, found: dict[str, Answer]) -> str:
    """The comparison in a sentence or two."""
    changes = found["changes"].records()
    shared = sum(row["num_clips"] for row in changes if "not there" not in (row["state_a"], row["state_b"]))
    kept = {"accepted", "pending"}
    gained = sum(row["num_clips"] for row in changes if row["state_b"] in kept and row["state_a"] not in kept)
    lost = sum(row["num_clips"] for row in changes if row["state_a"] in kept and row["state_b"] not in kept)
    both = sum(row["num_clips"] for row in changes if {row["state_a"], row["state_b"]} <= kept)
    text = f"{number(shared)} clips are in both. {number(both)} are kept by both, {number(lost)} by A alone, {number(gained)} by B alone."
    if not shared:
        text += " No clip is in both: the two were split with other settings, or are of other files, so only their numbers can be compared."
    return text


def page_content(a: Side, b: Side, found: dict[str, Answer]) -> dict:
    """What the comparison's page shows."""
    both = both_sides(a, b)
    try:
        turned = ask(both, query("turned"), [SHOWN]).records()
    finally:
        both.close()
    pictures = {True: Pictures(a.connection, a.lake), False: Pictures(b.connection, b.lake, 4_000_000)}
    pictures[True].budget_bytes = 4_000_000
    groups: dict[tuple[str, str], list[Thumb]] = {}
    for row in turned:
        words = f"A {row['words_a']}; B {row['words_b']}"
        thumb = pictures[row["is_in_a"]].strip(row["clip_id"], words)
        groups.setdefault((row["words_a"], row["words_b"]), []).append(thumb)
    return {
        "a": a.name, "b": b.name, "headline": in_words(a, b, found),
        **{name: answer.records() for name, answer in found.items()},
        "groups": list(groups.items()), "plots": overlaid(a, b), "width": WIDTH, "height": HEIGHT,
        "version": __version__, "as_of": "",
        "sections": [(name, name.capitalize()) for name in ("counts", "funnels", "changes", "scores", "buckets", "captions")],
    }  # fmt: skip


@dataclass(frozen=True)
class Overlaid:
    """The histogram of a metric on both sides, as shares of each side's clips."""

    metric: str
    low: float
    high: float
    bars: tuple[tuple[float, float, float, str], ...]
    """x, y, height and words of A's."""
    steps: str
    """Of an SVG polyline: B's."""


def overlaid(a: Side, b: Side) -> list[Overlaid]:
    """The metrics that both sides have, over the range of both."""
    ranges = [
        {row["metric"]: row for row in ask(side.connection, query("metric_side"), [side.subset]).records()}
        for side in (a, b)
    ]
    names = [name for name in sorted(ranges[0]) if name in ranges[1]]
    lows = [min(each[name]["low"] for each in ranges) for name in names]
    highs = [max(each[name]["high"] for each in ranges) for name in names]
    widths = [max(high - low, 1e-9) / BINS for low, high in zip(lows, highs, strict=True)]
    counts = [_shares(side, names, lows, widths) for side in (a, b)]
    parts = zip(names, lows, widths, strict=True)
    return [_overlaid(name, low, low + BINS * width, counts[0][name], counts[1][name]) for name, low, width in parts]


def _shares(side: Side, names: list[str], lows: list[float], widths: list[float]) -> dict[str, list[float]]:
    """Metric -> share of the side's clips in each bin."""
    counts = {name: [0.0] * BINS for name in names}
    for metric, place, num in ask(side.connection, query("bins"), [side.subset, names, lows, widths]).rows:
        counts[metric][place] = num
    return {name: [each / (sum(bins) or 1) for each in bins] for name, bins in counts.items()}


def _overlaid(metric: str, low: float, high: float, a: list[float], b: list[float]) -> Overlaid:
    highest, width = max([*a, *b, 1e-9]), WIDTH / BINS
    tops = [round(HEIGHT - (HEIGHT - 4) * share / highest, 1) for share in b]
    bars = tuple(
        (round(place * width, 1), round(HEIGHT - (HEIGHT - 4) * share / highest, 1), round((HEIGHT - 4) * share / highest, 1),
         f"A {100 * share:.3g} %, B {100 * b[place]:.3g} %")
        for place, share in enumerate(a)
    )  # fmt: skip
    steps = " ".join(f"{round(x * width, 1)},{top}" for place, top in enumerate(tops) for x in (place, place + 1))
    return Overlaid(metric, low, high, bars, f"0,{HEIGHT} {steps} {WIDTH},{HEIGHT}")
