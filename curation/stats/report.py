"""The report: one HTML file without scripts or links to anywhere, that opens from disk."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import Lake, atomic_write, lake_at
from moviegen.contracts.store import Store, url_of
from moviegen.contracts.tables import TABLES
from moviegen.disk import writing
from moviegen.errors import UsageError
from moviegen.messages import printable

from .captions import AUDIO_BEGINS, shown_captions
from .duck import ask, open_lake
from .frames import clip_frames
from .histograms import HEIGHT, WIDTH, Histogram, histograms
from .thumbnails import thumbnails

if TYPE_CHECKING:
    import duckdb

REPORT_FILE = "report.html"
"""Name of the report in its lake: of the subset that was written last."""

SUBSET_FILE = "report-{}.html"
"""Name of a subset's own report, beside it where the lake has several."""

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


def write_report(lake: Path, subset: str | None, path: Path) -> None:
    """Writes the report about a subset of a lake; it appears whole or not at all. Raises UsageError on an unknown subset."""
    connection = open_lake(lake, kept=("clip_states", "inputs", "borderline_clips"))
    try:
        text = render(collect(connection, lake_at(lake), choose_subset(connection, subset)))
    finally:
        connection.close()
    _write(path, text + _mark(lake_at(lake)))


def write_reports(lake: Path, subset: str | None) -> tuple[str, ...]:
    """Where it wrote them, in the lake: `report.html`, and `report-<subset>.html` too where there are several subsets."""
    opened = lake_at(lake)
    connection = open_lake(lake)
    try:
        names = _subsets(connection)
        chosen = choose_subset(connection, subset)
        text = render(collect(connection, opened, chosen)) + _mark(opened)
    finally:
        connection.close()
    files = (REPORT_FILE, *((SUBSET_FILE.format(chosen),) if len(names) > 1 else ()))
    for name in reversed(files):  # the one that `is_current` looks at comes last
        _write(opened.root / name, text)
        if opened.store is not None:
            opened.store.put_file(name, opened.root / name)
    return tuple(f"{url_of(lake) or lake}/{name}" for name in files)


def _write(path: Path, text: str) -> None:
    with writing(path, lambda: len(text)), atomic_write(path, "page") as temporary:
        temporary.write_text(text, encoding="utf-8")


def _subsets(connection: "duckdb.DuckDBPyConnection") -> list[str]:
    return [row[0] for row in ask(connection, "select subset from subsets order by subset").rows]


def report_place(lake: Path) -> str:
    """Path or url of a lake's report."""
    return f"{url_of(lake) or lake}/{REPORT_FILE}"


def is_current(lake: Path) -> bool:
    """Whether a lake's report is about what is committed now. One that a killed run left behind is not, nor, of a lake in an object
    store, one that was written from another machine."""
    opened = lake_at(lake)
    path, mark = opened.root / REPORT_FILE, _mark(opened).encode()
    if not path.exists():
        return False
    with open(path, "rb") as file:
        file.seek(-min(len(mark), path.stat().st_size), os.SEEK_END)
        is_marked = file.read() == mark
    return is_marked and (opened.store is None or _is_put(opened.store, path))


def _is_put(store: Store, path: Path) -> bool:
    try:
        store.confirm(REPORT_FILE, file_sha256(path))
    except (FileNotFoundError, ValueError):
        return False
    return True


def _mark(lake: Lake) -> str:
    """The last line of a report: a hash of all commits."""
    digest = hashlib.sha256()
    for table in sorted(TABLES):
        for batch in lake.batches(table):
            text = lake.commit_text(table, batch) or ""
            digest.update(f"{table}/{batch}.json".encode() + hashlib.sha256(text.encode()).digest())
    return f"<!-- commits {digest.hexdigest()} -->\n"


def choose_subset(connection: "duckdb.DuckDBPyConnection", subset: str | None) -> str:
    """The subset asked for, or the only one. Raises UsageError naming those there are."""
    names = _subsets(connection)
    if subset in names or (subset is None and len(names) == 1):
        return subset if subset is not None else names[0]
    if names == [""]:
        return ""
    asked = "which subset?" if subset is None else f"no subset {subset!r};"
    raise UsageError(f"moviegen curate report: {asked} there are {', '.join(names)}; say --subset NAME")


def collect(connection: "duckdb.DuckDBPyConnection", lake: Lake, subset: str) -> dict:
    """Everything the template shows."""

    def of_subset(question: str) -> list[dict]:
        return ask(connection, question, [subset]).records()

    rules = of_subset("select distinct on (position) * exclude (batch) from rules where subset = ? order by position")
    drawn = histograms(ask(connection, "score_histogram"), [rule for rule in rules if rule["metric"]])
    return {
        "lake": str(lake.root.resolve()) if lake.store is None else lake.place,
        "subset": subset,
        "others": [name for name in _subsets(connection) if name != subset],
        "counts": of_subset("select * exclude (subset) from input_counts where subset = ?"),
        "clips": of_subset("select * exclude (subset) from hours_by_subset where subset = ?"),
        "funnel": of_subset(_FUNNEL),
        "paper": ask(connection, "paper_funnel").records(),
        "rules": rules,
        "ruled": [each for each in drawn if each.rules],
        "free": by_detector([each for each in drawn if not each.rules]),
        "plot": {"width": WIDTH, "height": HEIGHT},
        "health": ask(connection, "metric_health").records(),
        "sheets": sheets(connection, lake, subset, rules),
        "buckets": of_subset("select * exclude (subset) from bucket_fill where subset = ?"),
        "captions": of_subset(_CAPTIONERS),
        "caption_samples": shown_captions(ask(connection, _CAPTIONS, [f"{AUDIO_BEGINS}%", subset]).records()),
        "rejected_captions": of_subset("select * exclude (subset) from caption_rejections where subset = ?"),
        "sounds": of_subset("select * exclude (subset) from sound_buckets where subset = ?"),
        "failures": ask(connection, _FAILURES).records(),
        "inputs": of_subset(f"from inputs where subset = ? order by batch, uri limit {MAX_ROWS}"),
        "num_inputs": of_subset("select count(*) as n from inputs where subset = ?")[0]["n"],
    }


def by_detector(drawn: list[Histogram]) -> list[tuple[str, list[Histogram]]]:
    """(detector, its histograms), as in their names, in order."""
    names = sorted({each.metric.partition(".")[0] for each in drawn})
    return [(name, [each for each in drawn if each.metric.partition(".")[0] == name]) for name in names]


_FUNNEL = """
select funnel.* exclude (subset), paper_funnel.threshold as paper_threshold, paper_funnel.left_percent as paper_percent
from funnel
left join paper_funnel on funnel.step = paper_funnel.step
where subset = ?
order by funnel.position
"""

_CAPTIONERS = """
select caption_fates.* exclude (subset), caption_lengths.* exclude (captioner, num_captions)
from caption_fates
inner join caption_lengths using (captioner)
where subset = ?
order by is_audio, num_taken desc, captioner
"""

_CAPTIONS = """
with heard as (
    select batch, clip_id, min(text) as text
    from captions
    where text like ?
    group by all
)

select samples.clip_id, samples.caption, samples.captioner, heard.text as heard
from samples
left join heard using (batch, clip_id)
where samples.subset = ?
order by md5(samples.clip_id)
limit 12
"""

_KEPT = """
select clip_states.clip_id, coalesce(samples.caption, 'not in a shard yet') as words
from clip_states
left join samples using (batch, subset, clip_id)
where subset = ? and state in ('accepted', 'pending')
order by md5(clip_states.clip_id)
limit ?
"""

_FAILURES = "from failures_by_stage where not starts_with(stage, 'caption-rejected:')"
"""Captions that are not fit have a table of their own."""

_NEAREST = """
select clip_id, metric || ' = ' || round(score, 4) as words
from borderline_clips
where subset = ? and rule = ? and is_rejected_here = ? and place <= ? and (is_rejected_here or distance < 0.25)
order by place
"""


def sheets(connection: "duckdb.DuckDBPyConnection", lake: Lake, subset: str, rules: list[dict]) -> list[Sheet]:
    """Contact sheets: some kept clips, then for each rule those it rejected and those it nearly did, nearest first."""
    found = [
        _sheet(connection, lake, "kept", "some of the clips that every rule keeps", _KEPT, [subset, 2 * CLIPS_A_SHEET])
    ]
    for rule in rules:
        for rejected, about in (
            (True, "rejected, nearest to the bound first"),
            (False, "kept, nearest to the bound first"),
        ):
            parameters = [subset, rule["rule"], rejected, CLIPS_A_SHEET]
            found.append(_sheet(connection, lake, f"{rule['rule']}: {rule['bound']}", about, _NEAREST, parameters))
    return [sheet for sheet in found if sheet.thumbs]


def _sheet(
    connection: "duckdb.DuckDBPyConnection", lake: Lake, title: str, about: str, question: str, parameters: list
) -> Sheet:
    thumbs = []
    for record in ask(connection, question, parameters).records():
        frames = clip_frames(connection, lake, record["clip_id"])
        images = thumbnails(*frames) if frames else ()
        thumbs.append(Thumb(record["clip_id"], images, record["words"] or ""))
    return Sheet(title, about, tuple(thumbs))


def render(content: dict) -> str:
    """The HTML. Everything from outside is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_inert,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "span": _span}
    return environment.get_template("report.html").render(content)


def _inert(value: object) -> object:
    return printable(value) if type(value) is str else value  # not a Markup, which is our own


def _number(value: object) -> str:
    """A number as people read it; an empty text for None."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else f"{float(value):.4g}"


def _span(hours: float | None) -> str:
    """Hours as people read them: `2.6 min` below one; an empty text for None."""
    if hours is None:
        return ""
    return f"{60 * hours:.3g} min" if 0 < hours < 1 else f"{hours:,.1f} h" if hours else "0"
