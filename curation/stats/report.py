"""The report: one HTML file that people send each other. It opens from disk, loads nothing and runs nothing but its own script."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import Lake, lake_at
from moviegen.contracts.store import Store, url_of
from moviegen.contracts.tables import TABLES
from moviegen.errors import UsageError

from .content import collect, subset_names
from .duck import open_lake
from .pages import render, write_page

if TYPE_CHECKING:
    import duckdb

TEMPLATE = "report.html"

REPORT_FILE = "report.html"
"""Name of the report in its lake: of the subset that was written last."""

SUBSET_FILE = "report-{}.html"
"""Name of a subset's own report, beside it where the lake has several."""


KEPT = ("clip_states", "inputs", "borderline_clips")
"""Views that the report asks again and again."""


def write_report(lake: Path, subset: str | None, path: Path) -> None:
    """Writes the report about a subset of a lake; it appears whole or not at all. Raises UsageError on an unknown subset."""
    connection = open_lake(lake, kept=KEPT)
    try:
        text = render(TEMPLATE, collect(connection, lake_at(lake), choose_subset(connection, subset)))
    finally:
        connection.close()
    write_page(path, text + _mark(lake_at(lake)))


def write_reports(lake: Path, subset: str | None) -> tuple[str, ...]:
    """Where it wrote them, in the lake: `report.html`, and `report-<subset>.html` too where there are several subsets."""
    opened = lake_at(lake)
    connection = open_lake(lake, kept=KEPT)
    try:
        names = subset_names(connection)
        chosen = choose_subset(connection, subset)
        text = render(TEMPLATE, collect(connection, opened, chosen)) + _mark(opened)
    finally:
        connection.close()
    files = (REPORT_FILE, *((SUBSET_FILE.format(chosen),) if len(names) > 1 else ()))
    for name in reversed(files):  # the one that `is_current` looks at comes last
        write_page(opened.root / name, text)
        if opened.store is not None:
            opened.store.put_file(name, opened.root / name)
    return tuple(f"{url_of(lake) or lake}/{name}" for name in files)


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
    names = subset_names(connection)
    if subset in names or (subset is None and len(names) == 1):
        return subset if subset is not None else names[0]
    if names == [""]:
        return ""
    asked = "which subset?" if subset is None else f"no subset {subset!r};"
    raise UsageError(f"moviegen curate report: {asked} there are {', '.join(names)}; say --subset NAME")
