"""A lake as one DuckDB file: its tables copied, its questions as views, for DuckDB's own shell and every tool that opens such a file."""

from pathlib import Path

from moviegen import __version__
from moviegen.contracts.lake import atomic_write
from moviegen.contracts.tables import TABLES
from moviegen.disk import writing
from moviegen.errors import UsageError

from ..duck import SQL, VIEWS, ask, ask_arrow, explained, open_lake

MARK = "moviegen_export"
"""A table of the files made here, which alone are replaced unasked."""


def export_database(root: Path, target: Path, replace: bool) -> str:
    """Builds the file beside `target` and swaps it in: who reads the old one goes on reading it.

    Raises UsageError where something else lies there, unless `replace`.
    """
    import duckdb

    if not replace and target.exists() and not _is_ours(target):
        raise UsageError(f"--export {target}: lies there and is no export of moviegen; --replace writes over it")
    lake = open_lake(root, views=())
    with (
        writing(target),
        atomic_write(target, "page") as temporary,
        duckdb.connect(str(temporary)) as file,
        explained(),
    ):
        file.execute("create table " + MARK + " as select ? as version", [__version__])
        for name in TABLES:
            _copy(lake, file, name)
        for name in VIEWS:
            file.execute("create view " + name + " as " + (SQL / "views" / f"{name}.sql").read_text())
    with duckdb.connect(str(target), read_only=True) as file:
        num_rows = sum(row["num_rows"] for row in ask(file, "table_sizes").records())
    return f"{target}: {len(TABLES)} tables with {num_rows:,} rows, {len(VIEWS)} views; `duckdb {target}` opens it"


def _is_ours(target: Path) -> bool:
    import duckdb

    try:
        with duckdb.connect(str(target), read_only=True) as file:
            return bool(file.execute("from duckdb_tables() where table_name = ?", [MARK]).fetchall())
    except duckdb.Error:
        return False


def _copy(lake, file, name: str) -> None:
    """Copies one table. A name comes from the contract, never from outside."""
    rows = ask_arrow(lake, name)
    file.register("rows_of_" + name, rows)
    file.execute("create table " + name + " as from rows_of_" + name)
    file.unregister("rows_of_" + name)
