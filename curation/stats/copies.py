"""Near-duplicates to look at: what was dropped beside what stands for it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .duck import ask
from .pictures import Pictures, Thumb

if TYPE_CHECKING:
    import duckdb

MAX_COPIES = 40
"""Copies shown; the view `duplicates` has all."""


@dataclass(frozen=True)
class Group:
    """A clip that was kept, and its copies."""

    kept: Thumb
    copies: tuple[Thumb, ...]


@dataclass(frozen=True)
class Copies:
    """Groups, the largest first, and how many copies there are in all."""

    groups: tuple[Group, ...]
    num_all: int


def copies(connection: "duckdb.DuckDBPyConnection", pictures: Pictures, subset: str) -> Copies:
    """The copies that a subset drops, by the clip that is kept for them."""
    rows = ask(connection, _COPIES, [subset, MAX_COPIES]).records()
    by_kept: dict[str, list[dict]] = {}
    for row in rows:
        by_kept.setdefault(row["kept_id"], []).append(row)
    groups = tuple(_group(pictures, kept_id, own) for kept_id, own in by_kept.items())
    return Copies(groups, rows[0]["num_all"] if rows else 0)


_COPIES = """
select *, count(*) over () as num_all, count(*) over (partition by kept_id) as num_alike
from duplicates
where subset = ?
order by num_alike desc, kept_id, similarity desc, clip_id
limit ?
"""


def _group(pictures: Pictures, kept_id: str, rows: list[dict]) -> Group:
    first = rows[0]
    kept = pictures.strip(kept_id, _words(first, "kept_", f"batch {first['kept_batch']}"))
    return Group(kept, tuple(pictures.strip(row["clip_id"], _words(row, "", _likeness(row))) for row in rows))


def _words(row: dict, prefix: str, more: str) -> str:
    file = row[f"{prefix}file"]
    start, end, size = row[f"{prefix}start_s"], row[f"{prefix}end_s"], row[f"{prefix}size"]
    return f"{Path(file).name if file else 'its file is gone'}, {start:g} to {end:g} s, {size}, {more}"


def _likeness(row: dict) -> str:
    mirrored = ", mirrored" if row["is_mirrored"] else ""
    return f"similarity {row['similarity']:.3f}, {row['matching_percent']:g} % of frames{mirrored}"
