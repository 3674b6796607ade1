"""A lake as one DuckDB file: its tables copied, its questions as views, for DuckDB's own shell and every tool that opens such a file."""

from pathlib import Path

from moviegen.contracts.lake import atomic_write
from moviegen.contracts.tables import TABLES
from moviegen.disk import writing

from ..duck import SQL, VIEWS, ask, ask_arrow, explained, open_lake


def export_database(root: Path, target: Path) -> str:
    """Builds the file beside `target` and swaps it in: who reads the old one goes on reading it."""
    import duckdb

    lake = open_lake(root, views=())
    with (
        writing(target),
        atomic_write(target, "page") as temporary,
        duckdb.connect(str(temporary)) as file,
        explained(),
    ):
        for name in TABLES:
            _copy(lake, file, name)
        for name in VIEWS:
            file.execute("create view " + name + " as " + (SQL / "views" / f"{name}.sql").read_text())
    with duckdb.connect(str(target), read_only=True) as file:
        num_rows = sum(row["num_rows"] for row in ask(file, "table_sizes").records())
    return f"{target}: {len(TABLES)} tables with {num_rows:,} rows, {len(VIEWS)} views; `duckdb {target}` opens it"


def _copy(lake, file, name: str) -> None:
    """Copies one table. A name comes from the contract, never from outside."""
    rows = ask_arrow(lake, name)
    file.register("rows_of_" + name, rows)
    file.execute("create table " + name + " as from rows_of_" + name)
    file.unregister("rows_of_" + name)
