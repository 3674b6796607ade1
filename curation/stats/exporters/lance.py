"""A lake as a Lance dataset: a row a clip and subset, its scores as columns, its mean vector of each embedder, for search by LanceDB."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.vectors import mean_vectors
from moviegen.disk import writing
from moviegen.errors import UsageError

from ..duck import SQL, ask_arrow, open_lake
from ..vectors import clip_vectors, embedder_names
from ..wide import with_score_columns

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def export_lance(root: Path, target: Path, _replace: bool) -> str:
    """Writes the dataset, as a new version where there is one already: the older versions stay.

    Raises UsageError where the package is missing.
    """
    try:
        import lance
    except ModuleNotFoundError as error:
        raise UsageError(f"--export {target} needs the package lance: pip install pylance") from error
    rows = clip_table(open_lake(root))
    with writing(target, lambda: rows.nbytes):
        lance.write_dataset(rows, str(target), mode="overwrite")
    return (
        f"{target}: {rows.num_rows:,} rows, {len(rows.column_names)} columns; `lance.dataset({str(target)!r})` opens it"
    )


def clip_table(connection: "duckdb.DuckDBPyConnection") -> "pa.Table":
    """What is written: clips with a column a metric, `motion_vmaf`, and a fixed-size list an embedder, `vector_clip`."""

    rows = with_score_columns(ask_arrow(connection, (SQL / "exports" / "clips.sql").read_text()))
    for embedder in embedder_names(connection):
        rows = rows.append_column(f"vector_{embedder}", _vectors(connection, embedder, rows["clip_id"].to_pylist()))
    return rows


def _vectors(connection: "duckdb.DuckDBPyConnection", embedder: str, clip_ids: list[str]) -> "pa.Array":
    """Mean vectors in the rows' order; null for a clip that was not embedded."""
    import pyarrow as pa

    clips = clip_vectors(connection, embedder)
    means = mean_vectors(clips)
    places = {clip_id: place for place, clip_id in enumerate(clips.ids)}
    known = [clip_id in places for clip_id in clip_ids]
    chosen = np.stack([means[places.get(clip_id, 0)] for clip_id in clip_ids]).astype(np.float32)
    kind = pa.list_(pa.float32(), means.shape[1])
    return pa.FixedSizeListArray.from_arrays(
        pa.array(chosen.reshape(-1)), type=kind, mask=pa.array([not k for k in known])
    )
