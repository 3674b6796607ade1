"""DuckDB over a lake: committed files only, read-only, nothing outside the lake's folder can be opened."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.contracts.lake import Lake, existing_lake
from moviegen.contracts.tables import TABLES
from moviegen.errors import UsageError

from .compact import table_files

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SQL = Path(__file__).parent / "sql"

VIEWS = (
    "table_sizes",
    "subsets",
    "rule_steps",
    "unique_videos",
    "failure_reasons",
    "clip_failures",
    "clip_states",
    "inputs",
    "input_counts",
    "failed_inputs",
    "funnel",
    "paper_funnel",
    "rejections",
    "bucket_fill",
    "score_histogram",
    "metric_health",
    "hours_by_subset",
    "caption_lengths",
    "caption_rejections",
    "caption_fates",
    "shard_sizes",
    "failures_by_stage",
    "drop_reasons",
    "clip_frames",
    "borderline_clips",
    "duplicates",
    "concepts",
    "clip_sounds",
    "sound_buckets",
    "score_percentiles",
    "score_correlations",
    "rule_verdicts",
    "rule_effects",
    "rule_overlaps",
    "clip_shapes",
    "source_formats",
    "transitions",
    "batches",
    "bucket_map",
    "subset_overlap",
    "embedders",
    "caption_words",
    "clip_captions",
    "eval_failures",
    "eval_tags",
)
"""Views in the order they are made: a view may use those before it."""


@dataclass(frozen=True)
class Answer:
    """The answer to a query."""

    columns: tuple[str, ...]
    rows: list[tuple]

    def records(self) -> list[dict]:
        """One dict a row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def open_lake(
    root: Path, tables: Sequence[str] = tuple(TABLES), views: Sequence[str] = VIEWS, kept: Collection[str] = ()
) -> "duckdb.DuckDBPyConnection":
    """A connection with a view for every table and every question, or for those named; `kept` views are answered once, now, for who
    asks them often. Raises UsageError when `root` is no lake."""
    import duckdb

    lake = existing_lake(root)
    connection = duckdb.connect(":memory:")
    for name in tables:
        _make_table(connection, lake, name)
    if "shots" in tables:
        connection.execute("set variable min_clip_s = map(?::varchar[], ?::double[])", shortest_clips(lake))
    for name in views:
        how = "create table " if name in kept else "create view "
        connection.execute(how + name + " as " + (SQL / "views" / f"{name}.sql").read_text())
    connection.execute("set allowed_directories = [?]".replace("?", _quoted(str(lake.root.resolve()))))
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def shortest_clips(lake: Lake) -> list[list]:
    """[batches, seconds that a clip of each had to last]; of batches whose settings of `split` are recorded, and can be read."""
    from curation.jobs.settings import recorded_settings

    known = {}
    for batch in lake.batches("shots"):
        with suppress(ValueError):  # a broken record is told by who does the work again: `replay`
            known[batch] = recorded_settings(lake, batch).get("min_clip_s")
    known = {batch: seconds for batch, seconds in known.items() if seconds is not None}
    return [list(known), list(known.values())]


def _make_table(connection: "duckdb.DuckDBPyConnection", lake: Lake, name: str) -> None:
    """A view over the table's committed files; an empty relation of the same columns when nothing is committed."""
    files = [str(path) for path in table_files(lake, name)]
    if files:
        connection.execute(f"set variable {name}_files = ?", [files])
        connection.execute("create view " + name + " as " + (SQL / "sources" / f"{name}.sql").read_text())
    else:
        connection.execute("create view " + name + " as " + no_rows_of(name))


_TYPES = {"string": "varchar", "int64": "bigint", "int32": "integer", "float64": "double", "bool": "boolean",
          "list<float32>": "float[]", "list<int64>": "bigint[]"}  # fmt: skip


def no_rows_of(name: str) -> str:
    """A query for no row of a table: not a registered Arrow table, for which DuckDB imports pandas."""
    columns = [("batch", "varchar"), *((column.name, _TYPES[column.type]) for column in TABLES[name].columns)]
    return "select " + ", ".join(f'null::{kind} as "{column}"' for column, kind in columns) + " where false"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def ask(connection: "duckdb.DuckDBPyConnection", question: str, parameters: list | dict | None = None) -> Answer:
    """The answer to a view's name or a SQL query. Raises UsageError with DuckDB's own message and the names there are."""
    with explained():
        done = connection.execute(_read_only(_query(connection, question)), parameters or [])
        columns = tuple(column[0] for column in done.description or ())
        return Answer(columns, done.fetchall())


def ask_arrow(connection: "duckdb.DuckDBPyConnection", question: str, parameters: list | None = None) -> "pa.Table":
    """The answer as an Arrow table, with DuckDB's types. Raises UsageError as `ask` does."""
    with explained():
        found = connection.sql(_read_only(_query(connection, question)), params=parameters or [])
        if found is None:
            raise UsageError("that is no question: it has no rows to write")
        return found.to_arrow_table()


def _query(connection: "duckdb.DuckDBPyConnection", question: str) -> str:
    """The SQL of a question: itself, or all rows of the view it names."""
    words = question.strip().rstrip(";").split()
    return question if len(words) != 1 or _is_statement(words[0]) else "from " + _name(connection, words[0])


def _is_statement(word: str) -> bool:
    """Is a word alone a whole query, as `describe` is?"""
    import duckdb

    try:
        return bool(duckdb.extract_statements(word))
    except duckdb.Error:
        return False


READS = ("SELECT", "EXPLAIN", "MULTI")
"""Kinds of statements that a lake answers; SHOW, DESCRIBE, SUMMARIZE and VALUES are of the first, PIVOT of the last."""


def _read_only(query: str) -> str:
    """The query itself. Raises UsageError where it does more than read: DuckDB may write in the lake's folder, which it has to read."""
    import duckdb

    for statement in duckdb.extract_statements(query):
        kind = statement.type.name
        # EXPLAIN ANALYZE runs what it explains, and a COPY of a PIVOT is of PIVOT's kind
        if kind not in READS or (kind != "SELECT" and "copy" in keywords(query)):
            raise UsageError(
                f"a lake is only read here, which {query.split()[0].upper()} does not do; --output FILE writes an answer"
            )
    return query


def keywords(query: str) -> set[str]:
    """The query's keywords in lower case, those in strings, names and comments left out."""
    import duckdb

    found = [place for place, kind in duckdb.tokenize(query) if kind == duckdb.token_type.keyword]
    text = query.encode()
    return {re.match(rb"\w*", text[place:]).group().decode().lower() for place in found}


@contextmanager
def explained() -> Iterator[None]:
    """Turns DuckDB's errors into UsageErrors."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise UsageError(_explained(error)) from error


def _explained(error: Exception) -> str:
    """DuckDB's message; the names there are when a name is what it did not find."""
    import duckdb

    if isinstance(error, duckdb.CatalogException):
        return f"{error}\n{LISTED}"
    if "base table" in str(error) or "not allowed to" in str(error):
        return f"a lake is only read here; what it holds, the jobs of moviegen curate wrote ({error})"
    if isinstance(error, duckdb.BinderException):
        return f'{error}\nmoviegen stats LAKE "describe TABLE" shows a table\'s columns'
    return f"{error}\nmoviegen stats LAKE lists tables and views; anything else is taken for SQL"


LISTED = "`.tables` and `.views` in the shell, or `moviegen stats LAKE`, list all"
"""Where the names are."""


def relations() -> list[str]:
    """Names one can ask for: the views, then the tables."""
    return [*VIEWS, *TABLES]


def _name(connection: "duckdb.DuckDBPyConnection", name: str) -> str:
    import difflib

    if name in relations():
        return '"' + name + '"'
    close = difflib.get_close_matches(name, relations(), 3)
    hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else "."
    raise UsageError(f"no view {name!r}{hint} {LISTED}; or give a query in quotes")


def check_names() -> list[str]:
    """Names of the checks, sorted."""
    return sorted(path.stem for path in (SQL / "checks").glob("*.sql"))


def run_check(connection: "duckdb.DuckDBPyConnection", name: str) -> Answer:
    """The rows that must not be there."""
    return ask(connection, (SQL / "checks" / f"{name}.sql").read_text())
