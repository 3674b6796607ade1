"""Scores as columns: what a table of clips looks like in other tools."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def with_score_columns(rows: "pa.Table") -> "pa.Table":
    """The table with a float column a metric, `motion_vmaf`, in place of its map `scores`; null where a clip has no such score."""
    import pyarrow as pa

    scores = [dict(each or ()) for each in rows["scores"].to_pylist()]
    rows = rows.drop_columns(["scores"])
    for metric in sorted({metric for each in scores for metric in each}):
        rows = rows.append_column(
            metric.replace(".", "_"), pa.array([each.get(metric) for each in scores], pa.float64())
        )
    return rows
