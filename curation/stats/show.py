"""Answers as text: an aligned table, JSON, or CSV that a spreadsheet may open."""

import csv
import io
import json
import textwrap
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.contracts.lake import atomic_write
from moviegen.disk import writing
from moviegen.errors import UsageError
from moviegen.messages import printable

from .duck import SQL, VIEWS, Answer, ask, ask_arrow
from .fit import Table, are_numbers, fit, with_short_ids

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MAX_CELL_CHARS = 120
"""Longest cell of a table for people; JSON and CSV have all of it."""


def show(
    answer: Answer, form: str = "table", connection: "duckdb.DuckDBPyConnection | None" = None, width: int | None = None
) -> str:
    """The text of an answer as `table`, `json` (an array of objects) or `csv`. A table for a terminal of `width` has ids cut as short as
    the lake of the connection allows."""
    if form != "table":
        return {"json": as_json, "csv": as_csv}[form](answer)
    if connection is not None and width is not None:
        answer = with_short_ids(connection, answer)
    return as_table(answer, width)


FORMS = {".csv": "csv", ".json": "json", ".txt": "table"}
"""Form of an answer by the end of its file's name, beside `.parquet`."""


def write_answer(connection: "duckdb.DuckDBPyConnection", question: str, path: Path) -> int:
    """Writes the answer as its file's name ends, `.parquet` with DuckDB's own types; the number of rows.

    The file appears whole or not at all.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return write_parquet(ask_arrow(connection, question), path)
    if suffix not in FORMS:
        raise UsageError(f"{path}: wanted a name that ends in {', '.join([*FORMS, '.parquet'])}")
    answer = ask(connection, question)
    text = show(answer, FORMS[suffix])
    with writing(path, lambda: len(text)), atomic_write(path, "page") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return len(answer.rows)


def write_parquet(table: "pa.Table", path: Path) -> int:
    """Writes an Arrow table; the number of rows."""
    import pyarrow.parquet as pq

    with writing(path, lambda: table.nbytes), atomic_write(path, "page") as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return table.num_rows


def as_json(answer: Answer) -> str:
    """A JSON array with one object a row, each on a line of its own."""
    lines = [json.dumps(record, ensure_ascii=False, default=_plain) for record in answer.records()]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def as_csv(answer: Answer) -> str:
    """CSV with a header. A text that a spreadsheet would take for a formula gets a quote before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([_no_formula(value) for value in row] for row in answer.rows)
    return out.getvalue()


def as_table(answer: Answer, width: int | None = None, total: str = "") -> str:
    """Columns under their names, numbers to the right, at most `width` characters wide; `total` in place of the number of rows."""
    rows = [[_cell(value) for value in row] for row in answer.rows]
    table = Table(list(answer.columns), rows, are_numbers(answer))
    table = table if width is None or table.width <= width else fit(table, width)
    widths, heads = table.widths, table.heads
    tall = max(map(len, heads))
    above = [["" if tall - len(head) > place else head[place - tall] for head in heads] for place in range(tall)]

    def line(row: list[str]) -> str:
        aligned = [c.rjust(w) if n else c.ljust(w) for c, w, n in zip(row, widths, table.is_number, strict=True)]
        return "  ".join(aligned).rstrip() + "\n"

    rule = ["-" * each for each in widths]
    count = total or f"{len(rows)} row{'' if len(rows) == 1 else 's'}"
    notes = [part for note in table.notes for part in textwrap.wrap(note, width or 120, break_long_words=False)]
    return "".join(map(line, [*above, rule, *table.rows])) + "\n".join([f"({count})", *notes]) + "\n"


def glance_as(form: str, connection: "duckdb.DuckDBPyConnection", width: int | None = None) -> str:
    """The lake at a glance as `table`, or `json`: an object with each of its tables, and what each view answers. Raises UsageError on
    `csv`, which is one table."""
    if form == "csv":
        raise UsageError("moviegen stats: --csv wants a question: a view, a table, or a query in quotes")
    if form == "table":
        return glance(connection, width)
    tables = {name: json.loads(as_json(ask(connection, asked))) for name, asked in _GLANCE.items()}
    return json.dumps(tables | {"views": {name: about(name) for name in VIEWS}}, indent=1, ensure_ascii=False) + "\n"


def glance(connection: "duckdb.DuckDBPyConnection", width: int | None = None) -> str:
    """The lake at a glance: rows of each table, files by state, the funnel, and what else can be asked."""
    parts = [
        *(as_table(ask(connection, asked), width) for asked in _GLANCE.values()),
        "views: " + "".join("\n" + _view_line(name, width) for name in sorted(VIEWS)) + "\n",
    ]
    return "\n".join(parts)


def _view_line(name: str, width: int | None) -> str:
    line = f"  {name:<{max(map(len, VIEWS))}}  {about(name)}"
    return line if width is None or len(line) <= width else line[: width - 1] + "…"


_GLANCE = {
    "table_sizes": "table_sizes",
    "input_counts": "input_counts",
    "funnel": "select subset, step, bound, num_rejected, num_failed, num_pending, num_skipped, num_left, left_percent from funnel",
}
"""Tables of the glance."""


def about(view: str) -> str:
    """What a view answers, in a line: the comment its SQL begins with, as far as the first stop."""
    first = (SQL / "views" / f"{view}.sql").read_text().splitlines()[0].removeprefix("-- ")
    text = first.partition("; ")[0].partition(". ")[0]
    return text if len(text) <= MAX_CELL_CHARS else text[: MAX_CELL_CHARS - 1] + "…"


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    text = printable(text).replace("\n", "�").replace("\t", "�")
    return text if len(text) <= MAX_CELL_CHARS else text[: MAX_CELL_CHARS - 1] + "…"


def _no_formula(value: object) -> object:
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)
