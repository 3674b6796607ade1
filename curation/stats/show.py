"""Answers as text: an aligned table, JSON, or CSV that a spreadsheet may open."""

import csv
import io
import json
from decimal import Decimal
from typing import TYPE_CHECKING

from moviegen.messages import printable

from .duck import VIEWS, Answer, ask

if TYPE_CHECKING:
    import duckdb

MAX_CELL_CHARS = 120
"""Longest cell of a table for people; JSON and CSV have all of it."""


def show(answer: Answer, form: str = "table") -> str:
    """The text of an answer as `table`, `json` (an array of objects) or `csv`."""
    return {"table": as_table, "json": as_json, "csv": as_csv}[form](answer)


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


def as_table(answer: Answer) -> str:
    """Columns under their names, numbers to the right."""
    cells = [[_cell(value) for value in row] for row in answer.rows]
    widths = [max(map(len, column)) for column in zip(answer.columns, *cells, strict=True)]
    numeric = [all(isinstance(row[i], int | float | Decimal | None) for row in answer.rows) for i in range(len(widths))]

    def line(row: list[str]) -> str:
        aligned = [c.rjust(w) if n else c.ljust(w) for c, w, n in zip(row, widths, numeric, strict=True)]
        return "  ".join(aligned).rstrip() + "\n"

    rule = ["-" * width for width in widths]
    return "".join(map(line, [list(answer.columns), rule, *cells])) + f"({len(cells)} rows)\n"


def glance(connection: "duckdb.DuckDBPyConnection") -> str:
    """The lake at a glance: rows of each table, files by state, the funnel, and what else can be asked."""
    parts = [
        as_table(ask(connection, "table_sizes")),
        as_table(ask(connection, "input_counts")),
        as_table(
            ask(
                connection,
                "select subset, step, bound, num_rejected, num_failed, num_pending, num_skipped, num_left, left_percent from funnel",
            )
        ),
        f"views: {', '.join(VIEWS)}\n",
    ]
    return "\n".join(parts)


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
