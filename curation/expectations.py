"""What a run is expected to leave: rows of every table, and a funnel that lets through as much as it did before.

`check` asks whether a lake agrees with itself; these ask whether what was made is what was wanted, so that no run is green and wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moviegen.contracts.lake import Lake, lake_at
from moviegen.errors import UsageError

from .check import Problem
from .rows import read_table
from .stats.duck import ask, open_lake

NEEDED = ("videos", "shots", "signals", "clips", "scores", "selection", "captions", "samples", "shards")
"""Tables of which a curated batch has rows."""

OF_A_SUBSET = ("selection", "samples", "shards")


@dataclass(frozen=True)
class Band:
    """Shares, 0..1, of a batch's clips between which a funnel is as expected."""

    min_kept: float = 0.0
    """In shards, of the clips that split found."""
    max_kept: float = 1.0
    max_rejected: Mapping[str, float] = field(default_factory=dict)
    """Reason -> share that it may take away."""

    def __post_init__(self) -> None:
        for name, share in {"min_kept": self.min_kept, "max_kept": self.max_kept, **self.max_rejected}.items():
            if not 0 <= share <= 1:
                raise UsageError(f"{name} is {share}, wanted a share, 0..1")
        if self.min_kept > self.max_kept:
            raise UsageError(f"min_kept is {self.min_kept}, above max_kept, {self.max_kept}")


def row_problems(root: Path, batch: str, subset: str) -> list[Problem]:
    """Tables without a single row of a batch, of a subset where they have subsets."""
    lake = lake_at(root)
    counts = {name: _count(lake, name, batch, subset) for name in NEEDED}
    return [
        Problem(
            "rows",
            f"{name}: 0 rows of batch {batch}{f', subset {subset}' if name in OF_A_SUBSET else ''}, although {_before(counts, name)}; "
            f"ask why: moviegen stats {lake.place} inputs",
        )
        for name, count in counts.items()
        if count == 0
    ]


def _count(lake: Lake, name: str, batch: str, subset: str) -> int:
    if name in OF_A_SUBSET:
        return sum(row["subset"] == subset for row in read_table(lake, name, batch, ["subset"]))
    return sum(part.num_rows for part in lake.committed_parts(name, batch))


def _before(counts: dict[str, int], name: str) -> str:
    """What the tables before one have."""
    place = NEEDED.index(name)
    return f"{NEEDED[place - 1]} has {counts[NEEDED[place - 1]]}" if place else "it is the first table"


def funnel_problems(root: Path, batch: str, subset: str, band: Band) -> list[Problem]:
    """Shares of a batch's clips that lie outside their band."""
    connection = open_lake(root)
    try:
        question = (
            "select state, reason, count(*) from clip_states where batch = ? and subset = ? group by all order by all"
        )
        rows = ask(connection, question, [batch, subset]).rows
    finally:
        connection.close()
    total = sum(count for _, _, count in rows)
    if not total:
        return [Problem("funnel", f"batch {batch}, subset {subset}: no clips, so no share to compare")]
    kept = sum(count for state, _, count in rows if state == "accepted") / total
    taken = {reason: count / total for state, reason, count in rows if state == "rejected"}
    return list(_outside(batch, total, kept, taken, band, lake_at(root).place))


def _outside(batch: str, total: int, kept: float, taken: dict[str, float], band: Band, place: str) -> Iterator[Problem]:
    if not band.min_kept <= kept <= band.max_kept:
        yield Problem(
            "funnel",
            f"batch {batch}: {kept:.3f} of {total} clips are in shards, expected {band.min_kept:g} to {band.max_kept:g}; "
            f"see where they went: moviegen stats {place} funnel",
        )
    for reason, most in band.max_rejected.items():
        if taken.get(reason, 0.0) > most:
            yield Problem(
                "funnel",
                f"batch {batch}: {reason} rejects {taken[reason]:.3f} of {total} clips, expected at most {most:g}; "
                f"see which: moviegen curate report {place}",
            )
