"""A table made to fit a terminal: ids by the shortest beginning that is theirs alone, paths without what they share, long texts cut.

JSON, CSV and a table that goes into a file or a pipe have everything whole.
"""

import os
import re
import shutil
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from .duck import Answer, ask

if TYPE_CHECKING:
    import duckdb

ID = re.compile(r"(?<![\w/])[0-9a-f]{32}(?![\w/])")
"""An id, also in a sentence, but not in a path, which must stay one."""

LENGTHS = (8, 10, 12, 16, 20, 24)
"""Digits of a shortened id: the first number that will do. Every command takes the beginning of an id."""

MIN_TEXT = 24
"""Characters that are left of a text that is cut, at least."""

GAP = 2
"""Spaces between two columns."""

LONG_NAME = 10
"""A column's name of this length or more stands on two lines."""


def terminal_width() -> int | None:
    """Columns of the terminal that stdout is, or of `COLUMNS`; None where it is a file or a pipe."""
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS", "").isdigit():
        return None
    return shutil.get_terminal_size().columns


def with_short_ids(connection: "duckdb.DuckDBPyConnection", answer: Answer) -> Answer:
    """The answer with ids as short as they may be to be found again in this lake."""
    found = {word for row in answer.rows for value in row if isinstance(value, str) for word in ID.findall(value)}
    if not found:
        return answer
    length = id_length(found, lambda prefixes: _ids_that_begin(connection, prefixes))
    return replace(answer, rows=[tuple(_shortened(value, length) for value in row) for row in answer.rows])


def id_length(ids: Collection[str], that_begin: Callable[[list[str]], set[str]]) -> int:
    """The number of digits by which each of these ids is told from the others, and from those of the lake that begin like one."""
    rivals = set(ids) | that_begin(sorted({each[: LENGTHS[0]] for each in ids}))
    for length in LENGTHS:
        if len({each[:length] for each in rivals}) == len(rivals):
            return length
    return 32


_BEGIN = """
with ids as (select clip_id as id from clips union select video_id as id from videos where video_id is not null)
select distinct id from ids where left(id, ?) in (select unnest(?))
"""


def _ids_that_begin(connection: "duckdb.DuckDBPyConnection", prefixes: list[str]) -> set[str]:
    return {row[0] for row in ask(connection, _BEGIN, [len(prefixes[0]), prefixes]).rows}


def _shortened(value: object, length: int) -> object:
    return ID.sub(lambda found: found[0][:length], value) if isinstance(value, str) else value


@dataclass(frozen=True)
class Table:
    """A table as text."""

    names: list[str]
    rows: list[list[str]]
    is_number: list[bool]
    notes: list[str] = field(default_factory=list)
    """What is not in it any more, for the lines below it."""
    is_tall: bool = False
    """Long names stand on two lines."""

    @property
    def heads(self) -> list[list[str]]:
        """The lines of each column's name."""
        return [header(name) if self.is_tall else [name] for name in self.names]

    @property
    def widths(self) -> list[int]:
        """Characters of each column."""
        return [
            max([*map(len, head), *(len(row[place]) for row in self.rows)]) for place, head in enumerate(self.heads)
        ]

    @property
    def width(self) -> int:
        return sum(self.widths) + GAP * (len(self.names) - 1)

    def without(self, places: Collection[int], note: str) -> "Table":
        """The table without these columns, and with a note about them."""
        left = [place for place in range(len(self.names)) if place not in places]
        rows = [[row[place] for place in left] for row in self.rows]
        names, numbers = [self.names[place] for place in left], [self.is_number[place] for place in left]
        return replace(self, names=names, rows=rows, is_number=numbers, notes=[*self.notes, note])


def header(name: str) -> list[str]:
    """A column's name on one line, or on two of about the same length where it has an underscore."""
    places = [place for place, char in enumerate(name, 1) if char == "_" and 1 < place < len(name)]
    if len(name) < LONG_NAME or not places:
        return [name]
    place = min(places, key=lambda place: max(place, len(name) - place))
    return [name[:place], name[place:]]


def fit(table: Table, width: int) -> Table:
    """The table in at most `width` characters where that can be: names stand on two lines, then paths lose the folder they share, then
    columns go that say the same in every row, then texts lose their ends, then the last columns go, those of ids after all others."""
    steps = (_with_tall_names, _without_shared_folder, _without_constants, _cut, _without_last)
    for step in steps:
        if table.width > width:
            table = step(table, width)
    return table


def _with_tall_names(table: Table, width: int) -> Table:
    return replace(table, is_tall=True)


def _without_shared_folder(table: Table, width: int) -> Table:
    paths = {cell for row in table.rows for cell in row if re.match(r"(/|\w+://)\S*/", cell)}
    if len(paths) < 2:
        return table
    folder = _shared_folder(paths)
    rows = [[cell.removeprefix(folder) for cell in row] for row in table.rows]
    return replace(table, rows=rows, notes=[*table.notes, f"files lie in {folder}"] if folder else table.notes)


def _shared_folder(paths: Collection[str]) -> str:
    """The beginning that all paths share, up to its last slash."""
    low, high = min(paths), max(paths)
    shared = next((place for place, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[: low.rfind("/", 0, shared) + 1]


def _without_constants(table: Table, width: int) -> Table:
    if len(table.rows) < 2:
        return table
    same = [
        place
        for place in range(len(table.names))
        if not table.is_number[place] and len({row[place] for row in table.rows}) == 1
    ]
    words = ", ".join(f"{table.names[place]} {table.rows[0][place] or 'empty'}" for place in same)
    return table.without(same, f"in every row: {words}") if same and len(same) < len(table.names) else table


def _cut(table: Table, width: int) -> Table:
    """The longest texts cut until the table fits, or no text may be cut further."""
    widths = table.widths
    least = [
        each if table.is_number[place] or _is_id(table, place) else min(each, MIN_TEXT)
        for place, each in enumerate(widths)
    ]
    while sum(widths) + GAP * (len(widths) - 1) > width and widths != least:
        place = max(range(len(widths)), key=lambda place: (widths[place] > least[place], widths[place]))
        widths[place] -= 1
    rows = [[_shorter(cell, wide) for cell, wide in zip(row, widths, strict=True)] for row in table.rows]
    return replace(table, rows=rows)


def _is_id(table: Table, place: int) -> bool:
    return table.names[place].endswith("_id")


def _without_last(table: Table, width: int) -> Table:
    order = sorted(range(1, len(table.names)), key=lambda place: (_is_id(table, place), -place))
    widths, gone = table.widths, []
    for place in order:
        if sum(widths) - sum(widths[each] + GAP for each in gone) + GAP * (len(widths) - 1) <= width:
            break
        gone.append(place)
    names = ", ".join(table.names[place] for place in sorted(gone))
    return table.without(gone, f"no room for {names}: --json and --csv have all")


def _shorter(cell: str, width: int) -> str:
    """Cut at the end; a path at its beginning, so that the file's name is left."""
    if len(cell) <= width:
        return cell
    return "…" + cell[-(width - 1) :] if "/" in cell and " " not in cell else cell[: width - 1] + "…"


def are_numbers(answer: Answer) -> list[bool]:
    """Which columns hold nothing but numbers."""
    return [
        all(isinstance(row[place], int | float | Decimal | None) for row in answer.rows)
        for place in range(len(answer.columns))
    ]
