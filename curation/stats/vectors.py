"""What embeddings of a lake say, asked of DuckDB as matrices."""

from typing import TYPE_CHECKING

import numpy as np

from curation.vectors import ClipVectors

from .duck import ask, ask_arrow

if TYPE_CHECKING:
    import duckdb

_VECTORS = """
select clip_id, place, vector
from embeddings
where embedder = ? and (? is null or list_contains(?, clip_id))
"""


def clip_vectors(
    connection: "duckdb.DuckDBPyConnection", embedder: str, clip_ids: list[str] | None = None
) -> ClipVectors:
    """All vectors of an embedder, of these clips or of every one."""
    rows = ask_arrow(connection, _VECTORS, [embedder, clip_ids, clip_ids])
    flat = rows["vector"].combine_chunks()
    vectors = np.asarray(flat.flatten(), np.float32).reshape(rows.num_rows, -1)
    return ClipVectors.sorted_from(rows["clip_id"].to_pylist(), np.asarray(rows["place"]), vectors)


def embedder_names(connection: "duckdb.DuckDBPyConnection") -> list[str]:
    """Embedders that have looked at clips, those of most clips first."""
    return [row[0] for row in ask(connection, _EMBEDDERS).rows]


_EMBEDDERS = "select embedder from embeddings group by embedder order by count(distinct clip_id) desc, embedder"
