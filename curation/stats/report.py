"""The report: one HTML file without scripts or links to anywhere, that opens from disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.contracts.lake import atomic_write, lake_at
from moviegen.disk import writing
from moviegen.errors import UsageError

from .duck import ask, open_lake
from .histograms import HEIGHT, WIDTH, histograms
from .thumbnails import thumbnails

if TYPE_CHECKING:
    import duckdb

REPORT_FILE = "report.html"
"""Name of the report in its lake."""

TEMPLATES = Path(__file__).parent / "templates"

CLIPS_A_SHEET = 6
"""Clips in a contact sheet."""

MAX_ROWS = 300
"""Rows of the longest tables; `moviegen stats` has all of them."""


@dataclass(frozen=True)
class Thumb:
    """A clip in a contact sheet."""

    clip_id: str
    images: tuple[str, ...]
    """Data URLs of three frames; none when the source is gone."""
    words: str
    """Score and reason, or the caption."""


@dataclass(frozen=True)
class Sheet:
    """Clips under one heading."""

    title: str
    about: str
    thumbs: tuple[Thumb, ...]


def write_lake_report(lake: Path, subset: str | None) -> str:
    """Writes the report of a lake into it; where it lies."""
    opened = lake_at(lake)
    path = opened.root / REPORT_FILE
    write_report(lake, subset, path)
    if opened.store is None:
        return str(lake / REPORT_FILE)
    opened.store.put_file(REPORT_FILE, path)
    return f"{opened.place}/{REPORT_FILE}"


def write_report(lake: Path, subset: str | None, path: Path) -> None:
    """Writes the report about a subset of a lake; it appears whole or not at all. Raises UsageError on an unknown subset."""
    connection = open_lake(lake)
    try:
        text = render(collect(connection, lake, choose_subset(connection, subset)))
    finally:
        connection.close()
    with writing(path, lambda: len(text)), atomic_write(path, "page") as temporary:
        temporary.write_text(text, encoding="utf-8")


def choose_subset(connection: "duckdb.DuckDBPyConnection", subset: str | None) -> str:
    """The subset asked for, or the only one. Raises UsageError naming those there are."""
    names = [row[0] for row in ask(connection, "select subset from subsets order by subset").rows]
    if subset in names or (subset is None and len(names) == 1):
        return subset if subset is not None else names[0]
    if names == [""]:
        return ""
    asked = "which subset?" if subset is None else f"no subset {subset!r};"
    raise UsageError(f"moviegen curate report: {asked} there are {', '.join(names)}; say --subset NAME")


def collect(connection: "duckdb.DuckDBPyConnection", lake: Path, subset: str) -> dict:
    """Everything the template shows."""

    def of_subset(question: str) -> list[dict]:
        return ask(connection, question, [subset]).records()

    rules = of_subset("select distinct on (position) * exclude (batch) from rules where subset = ? order by position")
    return {
        "lake": str(lake.resolve()),
        "subset": subset,
        "counts": of_subset("select * exclude (subset) from input_counts where subset = ?"),
        "hours": of_subset("select * exclude (subset) from hours_by_subset where subset = ?"),
        "funnel": of_subset(_FUNNEL),
        "paper": ask(connection, "paper_funnel").records(),
        "rules": rules,
        "histograms": histograms(ask(connection, "score_histogram"), [rule for rule in rules if rule["metric"]]),
        "plot": {"width": WIDTH, "height": HEIGHT},
        "health": ask(connection, "metric_health").records(),
        "sheets": sheets(connection, subset, rules),
        "buckets": of_subset("select * exclude (subset) from bucket_fill where subset = ?"),
        "captions": ask(connection, "caption_lengths").records(),
        "caption_samples": of_subset(_CAPTIONS),
        "failures": ask(connection, "failures_by_stage").records(),
        "inputs": of_subset(f"from inputs where subset = ? order by batch, uri limit {MAX_ROWS}"),
        "num_inputs": of_subset("select count(*) as n from inputs where subset = ?")[0]["n"],
    }


_FUNNEL = """
select funnel.* exclude (subset), paper_funnel.threshold as paper_threshold, paper_funnel.left_percent as paper_percent
from funnel
left join paper_funnel on funnel.step = paper_funnel.step
where subset = ?
order by funnel.position
"""

_CAPTIONS = """
select captions.captioner, captions.text, captions.camera_motion, clip_id
from captions
inner join clip_states using (clip_id)
where clip_states.subset = ? and clip_states.state = 'accepted'
order by md5(clip_id)
limit 12
"""

_KEPT = """
select clip_id, min(text) as words
from clip_states
left join captions using (clip_id)
where subset = ? and state in ('accepted', 'pending')
group by clip_id
order by md5(clip_id)
limit ?
"""

_NEAREST = """
select clip_id, metric || ' = ' || round(score, 4) as words
from borderline_clips
where subset = ? and rule = ? and is_rejected_here = ? and place <= ? and (is_rejected_here or distance < 0.25)
order by place
"""


def sheets(connection: "duckdb.DuckDBPyConnection", subset: str, rules: list[dict]) -> list[Sheet]:
    """Contact sheets: some kept clips, then for each rule those it rejected and those it nearly did, nearest first."""
    found = [_sheet(connection, "kept", "some of the clips that every rule keeps", _KEPT, [subset, 2 * CLIPS_A_SHEET])]
    for rule in rules:
        for rejected, about in (
            (True, "rejected, nearest to the bound first"),
            (False, "kept, nearest to the bound first"),
        ):
            parameters = [subset, rule["rule"], rejected, CLIPS_A_SHEET]
            found.append(_sheet(connection, f"{rule['rule']}: {rule['bound']}", about, _NEAREST, parameters))
    return [sheet for sheet in found if sheet.thumbs]


def _sheet(connection: "duckdb.DuckDBPyConnection", title: str, about: str, question: str, parameters: list) -> Sheet:
    thumbs = []
    for record in ask(connection, question, parameters).records():
        frames = ask(connection, "select uri, pts from clip_frames where clip_id = ?", [record["clip_id"]]).rows
        images = thumbnails(*frames[0]) if frames else ()
        thumbs.append(Thumb(record["clip_id"], images, record["words"] or ""))
    return Sheet(title, about, tuple(thumbs))


def render(content: dict) -> str:
    """The HTML. Everything from outside is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    return environment.get_template("report.html").render(content)


def _number(value: object) -> str:
    """A number as people read it; an empty text for None."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else f"{float(value):.4g}"
