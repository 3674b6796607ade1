"""What a run of `moviegen curate` tells to machines: which tables each job reads and writes, and how much of what there is."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from moviegen.contracts.lake import Lake
from moviegen.contracts.tables import TABLES
from moviegen.observe.lineage import Data
from moviegen.observe.metrics import Gauge

if TYPE_CHECKING:
    from .accounting import Account
    from .jobs.session import Session

READS = {
    "ingest": (),
    "split": ("videos",),
    "score": ("videos", "clips", "signals"),
    "embed": ("videos", "clips", "signals", "scores"),
    "filter": ("clips", "scores", "embeddings"),
    "caption": ("videos", "clips", "signals", "scores", "selection"),
    "shard": ("videos", "clips", "selection", "captions"),
    "personal": ("videos", "clips", "selection", "captions"),
    "edits": ("videos", "clips", "selection", "captions"),
}
"""Job -> tables it reads; those it writes are declared in `contracts/tables.py`."""


def inputs_of(job: str, session: "Session") -> list[Data]:
    """What a job is about to read: tables of its batch, for ingest the folder of videos."""
    if job == "ingest":
        return [Data(str(session.config.input))]
    return [table_data(session.lake, name, session.batch) for name in READS[job]]


def outputs_of(job: str, session: "Session") -> list[Data]:
    """What a job has written: its tables, and the tars where it makes some."""
    written = [name for name, table in TABLES.items() if job in table.written_by]
    found = [table_data(session.lake, name, session.batch) for name in written]
    if "shards" in written:
        found.append(Data(f"{session.lake.place}/shards/subset={session.config.subset}"))
    return found


def table_data(lake: Lake, name: str, batch: str) -> Data:
    """A table of the lake, with its declared columns and the rows that a batch has in it."""
    columns = tuple((c.name, c.type, f"{c.meaning}{f' [{c.unit}]' if c.unit else ''}") for c in TABLES[name].columns)
    rows = sum(part.num_rows for part in lake.committed_parts(name, batch))
    return Data(f"{lake.place}/{name}", columns, rows)


def gauges(session: "Session", account: "Account") -> Iterator[Gauge]:
    """Numbers of a run: inputs and seconds of each operation, files by state, rows of each table."""
    about = "inputs of an operation in this run: wanted, done before, done now, failed"
    for outcome in session.outcomes:
        label = {"operation": outcome.operation}
        counts = {
            "wanted": outcome.num_wanted,
            "done_before": outcome.num_done_before,
            "done_now": outcome.num_now,
            "failed": outcome.num_failed,
        }
        for state, count in counts.items():
            yield Gauge("operation_inputs", about, count, label | {"state": state})
        yield Gauge("operation_seconds", "seconds that an operation took in this run", outcome.seconds, label)
    states = {
        "accepted": account.accepted,
        "rejected": account.num_rejected,
        "failed": account.failed,
        "pending": account.pending,
    }
    for state, count in states.items():
        yield Gauge("files", "files of the batch by state", count, {"state": state})
    for table in TABLES:
        parts = session.lake.committed_parts(table, session.batch)
        yield Gauge("table_rows", "committed rows of the batch", sum(part.num_rows for part in parts), {"table": table})
