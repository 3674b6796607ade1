"""Short reasons of failures that no lake holds yet."""

from collections import Counter
from collections.abc import Sequence

from .duck import SQL, no_rows_of


def short_reasons(failed: Sequence[dict]) -> Counter[str]:
    """How many of these rows of `videos` failed for which reason, as the view `failure_reasons` tells it; the most frequent first."""
    import duckdb

    with duckdb.connect(":memory:") as connection:
        for name in ("videos", "failures"):
            connection.execute("create table " + name + " as " + no_rows_of(name))
        for row in failed:
            given = [row["uri"], row["error"]]
            connection.execute("insert into videos (uri, status, error) values (?, 'failed', ?)", given)
        connection.execute("create view reasons as " + (SQL / "views" / "failure_reasons.sql").read_text())
        found = connection.execute("select reason, count(*) from reasons group by all order by 2 desc, 1")
        return Counter(dict(found.fetchall()))
