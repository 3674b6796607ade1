"""What a half-typed question may go on with: views, tables, columns, the metrics and reasons of the lake, commands of the shell."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .duck import Answer, ask, relations

if TYPE_CHECKING:
    import duckdb

KEYWORDS = (
    "select", "from", "where", "group by all", "order by", "limit", "join", "left join", "using", "on", "as", "and", "or", "not",
    "with", "having", "distinct", "count(*)", "sum(", "avg(", "min(", "max(", "median(", "quantile_cont(", "round(", "describe",
    "summarize", "pivot", "desc", "between", "in", "is null", "filter (", "case when", "union all by name",
)  # fmt: skip
"""What questions are made of; DuckDB knows more."""

DOT_COMMANDS = (".columns", ".help", ".mode", ".output", ".quit", ".tables", ".views")

MODES = ("table", "csv", "json")

DELIMITERS = " \t\n,()=<>+*/;'\""
"""Characters that end a word."""

BEFORE_RELATION = re.compile(r"\b(from|join|describe|summarize|pivot|show|table)\s+\S*$", re.I)
NO_ALIAS = "where|join|left|inner|full|group|order|using|on|limit|having"

MENTIONED = re.compile(rf"\b(?:from|join)\s+(\w+)(?:\s+(?:as\s+)?(?!(?:{NO_ALIAS})\b)(\w+))?", re.I)


@dataclass(frozen=True)
class Names:
    """The names of a lake."""

    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns of each view and table, in their order."""
    values: tuple[str, ...] = ()
    """Texts that questions compare with: metrics, reasons, subsets, detectors, captioners."""


def names_of(connection: "duckdb.DuckDBPyConnection") -> Names:
    """The names of the lake behind a connection."""
    rows = ask(connection, _COLUMNS).rows
    columns = {name: tuple(row[1] for row in rows if row[0] == name) for name in relations()}
    return Names(columns, tuple(row[0] for row in ask(connection, _VALUES).rows))


_COLUMNS = """
select table_name, column_name
from duckdb_columns()
where not internal
order by table_name, column_index
"""

_VALUES = """
select distinct metric as value from scores
union
select distinct detector from scores
union
select distinct reason from selection where reason <> ''
union
select distinct subset from rules
union
select distinct captioner from captions
order by value
"""


def describe(names: Names, relation: str) -> Answer:
    """The columns of a view or table as an answer."""
    return Answer(("column",), [(column,) for column in names.columns[relation]])


def completions(names: Names, before: str, word: str) -> list[str]:
    """What `word`, the end of `before`, may become, best first."""
    line = before.rsplit(";", 1)[-1]
    if line.lstrip().startswith("."):
        return _starting(word, _of_command(names, line))
    if _is_quoted(line, word):
        return _starting(word, names.values)
    if BEFORE_RELATION.search(line):
        return _starting(word, names.columns)
    alias, dot, _ = word.rpartition(".")
    if dot:
        relation = _aliases(line).get(alias, alias)
        return _starting(word, [f"{alias}.{column}" for column in names.columns.get(relation, ())])
    if not line.strip() or line.strip() == word:
        return _starting(word, [*names.columns, *KEYWORDS, *DOT_COMMANDS])
    return _starting(word, [*_columns(names, line), *KEYWORDS, *names.columns])


def _starting(word: str, among) -> list[str]:
    return [each for each in dict.fromkeys(among) if each.lower().startswith(word.lower())]


def _of_command(names: Names, line: str) -> list[str]:
    command = line.split()[0]
    if line.strip() == command and not line.endswith(" "):
        return list(DOT_COMMANDS)
    return {".mode": list(MODES), ".columns": list(names.columns)}.get(command, [])


def _is_quoted(line: str, word: str) -> bool:
    """Does the word stand behind an opening quote?"""
    return line[: len(line) - len(word)].count("'") % 2 == 1


def _aliases(line: str) -> dict[str, str]:
    """Alias -> relation of what the line reads from."""
    return {alias: name for name, alias in MENTIONED.findall(line) if alias}


def _columns(names: Names, line: str) -> list[str]:
    """Columns of what the line reads from; of everything where it does not say yet."""
    said = [name for name, _ in MENTIONED.findall(line) if name in names.columns] or list(names.columns)
    return [column for name in said for column in names.columns[name]]
