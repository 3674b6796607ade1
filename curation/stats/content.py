"""What the report shows, asked of DuckDB."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING

from moviegen import __version__
from moviegen.contracts.lake import Lake
from moviegen.contracts.tables import TABLES

from . import tracks
from .captions import AUDIO_BEGINS, shown_captions
from .concept_map import concept_map
from .copies import copies
from .duck import SQL, ask
from .histograms import HEIGHT, WIDTH, Histogram, histograms
from .pages import grouped, number, span
from .pictures import Pictures, Thumb

if TYPE_CHECKING:
    import duckdb

CLIPS_A_SHEET = 6
"""Clips in a contact sheet."""

MAX_ROWS = 300
"""Rows of the longest tables; `moviegen stats` has all of them."""

MAX_CAPTIONS = 1500
"""Captions that can be searched in the page."""

MAX_CAPTION_CHARS = 1000

MAX_WORDS = 120

STATES = ("accepted", "rejected", "failed", "pending")

SECTIONS = (
    ("funnel", "Funnel"), ("scores", "Scores"), ("clips", "Clips"), ("timelines", "Timelines"), ("map", "Map"),
    ("duplicates", "Duplicates"), ("captions", "Captions"), ("sound", "Sound"), ("buckets", "Buckets"), ("failures", "Failures"),
    ("files", "Files"),
)  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """Clips under one heading."""

    title: str
    about: str
    thumbs: tuple[Thumb, ...]


def subset_names(connection: "duckdb.DuckDBPyConnection") -> list[str]:
    """Every subset of a lake; one nameless where none was made."""
    return [row[0] for row in ask(connection, "select subset from subsets order by subset").rows]


def question(name: str) -> str:
    """The text of a query of `sql/report`."""
    return (SQL / "report" / f"{name}.sql").read_text()


def collect(connection: "duckdb.DuckDBPyConnection", lake: Lake, subset: str) -> dict:
    """Everything the template shows."""

    def of_subset(asked: str, *more: object) -> list[dict]:
        return ask(connection, asked, [subset, *more]).records()

    pictures = Pictures(connection, lake)
    rules = of_subset("select * exclude (subset) from rule_steps where subset = ? order by position")
    content = _numbers(connection, of_subset) | _scores(connection, of_subset(question("bounds"))) | _text(of_subset)
    content |= {
        "lake": str(lake.root.resolve()) if lake.store is None else lake.place,
        "subset": subset,
        "others": [name for name in subset_names(connection) if name != subset],
        "rules": rules,
        "effects": of_subset("select * exclude (subset) from rule_effects where subset = ? order by position"),
        "sheets": sheets(connection, pictures, subset, rules),
        "copies": copies(connection, pictures, subset),
        "tracks": tracks.tracks(connection, lake, subset),
        "track_width": tracks.WIDTH,
        "track_row": tracks.ROW_HEIGHT,
        "map": (found := concept_map(connection, subset)),
        "map_thumbs": [(each, pictures.frame(each.clip_id, f"{each.state}: {each.words}")) for each in found.places] if found else [],
        "concepts": of_subset(_CONCEPTS, MAX_ROWS),
        "version": __version__,
        "as_of": as_of(lake),
    }  # fmt: skip
    content["num_copies"] = sum(len(group.copies) for group in content["copies"].groups)
    content["caption_samples"] = [(row, pictures.made(row.clip_id)) for row in content["caption_samples"]]
    content["num_left_out"] = pictures.num_left_out
    shown = {
        "timelines": content["tracks"],
        "map": found,
        "duplicates": content["copies"].num_all,
        "sound": content["sounds"],
    }
    content["sections"] = [(name, words) for name, words in SECTIONS if shown.get(name, True)]
    content["headline"] = headline(content)
    return content


_CONCEPTS = "select * exclude (subset) from concepts where subset = ? limit ?"


def _numbers(connection: "duckdb.DuckDBPyConnection", of_subset: Callable[..., list[dict]]) -> dict:
    """Files and clips by state, funnel, buckets, failures."""
    counts = of_subset("select * exclude (subset) from input_counts where subset = ?")
    clips = of_subset("select * exclude (subset) from hours_by_subset where subset = ?")
    cells = of_subset("select * exclude (subset) from bucket_map where subset = ?")
    inputs = of_subset("from inputs where subset = ? order by batch, uri limit ?", MAX_ROWS)
    return {
        "totals": [
            _total("files", counts, "num_files", number),
            _total("clips", clips, "num_clips", number),
            _total("length of clips", clips, "hours", span),
        ],
        "num_inputs": sum(row["num_files"] for row in counts),
        "inputs": inputs,
        "folder": common_folder([row["uri"] for row in inputs]),
        "rejections": of_subset("from rejections where subset = ?"),
        "funnel": of_subset(question("funnel")),
        "paper": ask(connection, "paper_funnel").records(),
        "buckets": of_subset("select * exclude (subset) from bucket_fill where subset = ?"),
        "bucket_rows": grouped(cells, "aspect"),
        "bucket_frames": sorted({row["num_frames"] for row in cells}),
        "failures": ask(connection, _FAILURES).records(),
    }


def common_folder(uris: list[str]) -> str:
    """The folder in which all of these lie, with its last slash; empty where there is none."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(min(uris, default=""), max(uris, default=""), strict=False))
    head, slash, _ = "".join(letter for letter, _ in same).rpartition("/")
    return head + slash


_FAILURES = "from failures_by_stage where not starts_with(stage, 'caption-rejected:')"
"""Captions that are not fit have a table of their own."""


def _total(what: str, rows: list[dict], column: str, shown: Callable[[object], str]) -> tuple:
    """(what, in all, by state, how it is shown)."""
    parts = [(state, sum(row[column] for row in rows if row["state"] == state)) for state in STATES]
    return what, sum(amount for _, amount in parts), parts, shown


def headline(content: dict) -> str:
    """The lake in two sentences."""
    (_, files, by_file, _), (_, clips, by_clip, _), (_, _, hours, _) = content["totals"]
    if not clips:
        return f"{_counted(files, 'file')}, and no clip yet."
    kept = dict(by_clip)["accepted"]
    share = f"{100 * kept / clips:.3g} %, {span(dict(hours)['accepted']) or '0'}"
    text = (
        f"{_counted(files, 'file')} {'was' if files == 1 else 'were'} cut into {_counted(clips, 'clip')}; "
        f"{number(kept)} of {_counted(clips, 'clip')} ({share}) {'is' if kept == 1 else 'are'} in shards."
    )
    text += lost(content["rejections"])
    if failed := dict(by_file)["failed"]:
        text += f" {_counted(failed, 'file')} failed."
    return text


def lost(rejections: Sequence[dict]) -> str:
    """A sentence about clips that rules rejected, by reason, the most first; empty without any."""
    num = sum(row["num_clips"] for row in rejections)
    if not num:
        return ""
    head = " One was lost" if num == 1 else f" {number(num)} were lost"
    if len(rejections) == 1:
        return f"{head} to {rejections[0]['reason']}."
    worst = ", ".join(f"{row['reason']} ({number(row['num_clips'])})" for row in rejections[:3])
    return f"{head}, most of them to {worst}." if len(rejections) > 3 else f"{head} to {worst}."


def _counted(num: int, noun: str) -> str:
    return f"{number(num)} {noun}{'' if num == 1 else 's'}"


def _scores(connection: "duckdb.DuckDBPyConnection", bounds: list[dict]) -> dict:
    drawn = histograms(ask(connection, "score_histogram"), bounds)
    return {
        "ruled": [each for each in drawn if each.rules],
        "free": by_detector([each for each in drawn if not each.rules]),
        "plot": {"width": WIDTH, "height": HEIGHT},
        "health": ask(connection, "metric_health").records(),
        "percentiles": ask(connection, "score_percentiles").records(),
    }


def by_detector(drawn: list[Histogram]) -> list[tuple[str, list[Histogram]]]:
    """(detector, its histograms), as in their names, in order."""
    names = sorted({each.metric.partition(".")[0] for each in drawn})
    return [(name, [each for each in drawn if each.metric.partition(".")[0] == name]) for name in names]


def _text(of_subset: Callable[..., list[dict]]) -> dict:
    """Captions, and what is heard."""
    samples = of_subset(question("captions"), f"{AUDIO_BEGINS}%", MAX_CAPTION_CHARS, MAX_CAPTIONS)
    return {
        "captions": of_subset(question("captioners")),
        "caption_samples": shown_captions(samples),
        "num_samples": of_subset("select count(*) as n from samples where subset = ?")[0]["n"],
        "rejected_captions": of_subset("select * exclude (subset) from caption_rejections where subset = ?"),
        "words": of_subset(question("words"), MAX_WORDS),
        "sounds": of_subset("select * exclude (subset) from sound_buckets where subset = ?"),
    }


def sheets(connection: "duckdb.DuckDBPyConnection", pictures: Pictures, subset: str, rules: list[dict]) -> list[Sheet]:
    """Contact sheets: some kept clips, then for each rule those it rejected and those it nearly did, nearest first."""

    def sheet(title: str, about: str, asked: str, *parameters: object) -> Sheet:
        rows = ask(connection, question(asked), [subset, *parameters]).rows
        return Sheet(title, about, tuple(pictures.strip(clip_id, words or "") for clip_id, words in rows))

    found = [sheet("kept", "some of the clips that every rule keeps", "kept", 2 * CLIPS_A_SHEET)]
    for rule in rules:
        for rejected, about in (
            (True, "rejected, nearest to the bound first"),
            (False, "kept, nearest to the bound first"),
        ):
            title = f"{rule['rule']}: {rule['bound']}"
            found.append(sheet(title, about, "nearest", rule["rule"], rejected, CLIPS_A_SHEET))
    return [each for each in found if each.thumbs]


def as_of(lake: Lake) -> str:
    """When the lake was last committed to, by its folder; empty for one in an object store."""
    if lake.store is not None:
        return ""
    stamps = [lake.commit_stamp(table, batch) for table in TABLES for batch in lake.batches(table)]
    times = [stamp[1][2] for stamp in stamps if stamp is not None]
    return f"{datetime.fromtimestamp(max(times) / 1e9, UTC):%Y-%m-%d %H:%M}" if times else ""
