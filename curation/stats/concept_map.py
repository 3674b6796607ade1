"""Clips on a map: those alike lie near each other. Their mean vectors in two dimensions, moved to the nearest free place of a grid.

Axes: C clips, D numbers of a vector.
"""

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from curation.vectors import mean_vectors

from .duck import ask
from .vectors import clip_vectors, embedder_names

if TYPE_CHECKING:
    import duckdb

MAX_CLIPS = 160
"""Clips on the map: drawn by their ids, the same each time."""

FEW = 40
"""Below as many clips, neighbourhoods say nothing and principal components are shown."""

SHAPE = 2.0
"""Width of the grid by its height, in cells."""

ROOM = 1.6
"""Cells a clip."""


@dataclass(frozen=True)
class Place:
    """A clip on the map."""

    clip_id: str
    column: int
    row: int
    state: str
    concept: int | None
    words: str


@dataclass(frozen=True)
class ConceptMap:
    """A grid with clips in some of its cells."""

    embedder: str
    how: str
    """The projection, in words."""
    columns: int
    rows: int
    places: tuple[Place, ...]
    num_clips: int
    """Clips that the embedder has seen."""


def concept_map(connection: "duckdb.DuckDBPyConnection", subset: str) -> ConceptMap | None:
    """The map by the embedder of most clips, one of meanings before the fingerprint; None where no two clips were embedded."""
    names = sorted(embedder_names(connection), key=lambda name: name in ("fingerprint", "sscd"))
    rows = ask(connection, _CLIPS, [subset, names[0], MAX_CLIPS]).records() if names else []
    if len(rows) < 2:
        return None
    clips = clip_vectors(connection, names[0], [row["clip_id"] for row in rows])
    flat, how = project(mean_vectors(clips))
    cells, shape = on_grid(flat)
    about = {row["clip_id"]: row for row in rows}
    places = tuple(
        Place(
            clip_id, int(column), int(row), about[clip_id]["state"], about[clip_id]["concept"], about[clip_id]["words"]
        )
        for clip_id, (column, row) in zip(clips.ids, cells, strict=True)
    )
    return ConceptMap(names[0], how, *shape, places, rows[0]["num_all"])


_CLIPS = """
select
    clip_states.clip_id,
    any_value(clip_states.state) as state,
    any_value(clip_concepts.concept) as concept,
    coalesce(any_value(nullif(samples.caption, '')), any_value(clip_states.reason), '') as words,
    count(*) over () as num_all,
from clip_states
left join clip_concepts using (batch, subset, clip_id)
left join samples using (batch, subset, clip_id)
where subset = ? and clip_id in (select clip_id from embeddings where embedder = ?)
group by clip_states.clip_id
order by md5(clip_states.clip_id)
limit ?
"""


def project(vectors: np.ndarray) -> tuple[np.ndarray, str]:
    """(C, 2) places of vectors (C, D), and how they were found: t-SNE; of few clips, or without
    scikit-learn, two principal components."""
    if len(vectors) < FEW:
        return _principal(vectors), "the two principal components of their vectors"
    if importlib.util.find_spec("sklearn") is None:
        words = "the two principal components of their vectors; with scikit-learn neighbours would lie closer, by t-SNE"
        return _principal(vectors), words
    from sklearn.manifold import TSNE

    places = TSNE(perplexity=min(30, len(vectors) / 4), init="pca", metric="cosine", random_state=0).fit_transform(
        vectors
    )
    return places.astype(
        np.float64
    ), "t-SNE of their vectors: neighbours mean something, distances across the map do not"


def _principal(vectors: np.ndarray) -> np.ndarray:
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    left, sizes = left[:, :2], sizes[:2]
    left = left * np.sign(
        left[np.argmax(np.abs(left), axis=0), np.arange(left.shape[1])]
    )  # the sign is nobody's choice
    return np.pad(left * sizes, ((0, 0), (0, 2 - left.shape[1])))


def on_grid(flat: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """(C, 2) int column and row of places (C, 2), each in a cell of its own, and the grid's (columns, rows).

    Each coordinate becomes its rank, so that the grid is filled; who is nearest to the centre of a cell gets it first.
    """
    num = len(flat)
    rows = max(2, round((ROOM * num / SHAPE) ** 0.5))
    columns = -(-int(np.ceil(ROOM * num)) // rows)
    ranks = np.argsort(np.argsort(flat, axis=0, kind="stable"), axis=0, kind="stable")
    wanted = (ranks + 0.5) / num * [columns, rows] - 0.5
    free = np.stack(np.meshgrid(np.arange(columns), np.arange(rows), indexing="ij"), -1).reshape(-1, 2)
    cells = np.zeros((num, 2), int)
    for clip in np.argsort(np.abs(wanted - np.round(wanted)).sum(axis=1), kind="stable"):
        best = np.argmin(((free - wanted[clip]) ** 2).sum(axis=1))
        cells[clip], free = free[best], np.delete(free, best, axis=0)
    return cells, (columns, rows)
