"""What is looked for in a lake, as vectors: a text, a clip or video of the lake, another file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.stats.duck import ask
from moviegen.contracts.lake import Lake
from moviegen.errors import UsageError

if TYPE_CHECKING:
    import duckdb

CLIP = "clip"
"""Name of the embedder whose vectors a text, or a file from elsewhere, can be compared with without more being said."""

FILE_FRAMES = 4
"""Frames looked at of a file that is not in the lake, spread evenly; our decision."""

TIMEOUT_S = 60.0
"""Seconds its frames may take."""


@dataclass(frozen=True)
class FindConfig:
    """What is looked for in which lake."""

    lake: Path
    """Folder of the lake."""
    text: str | None = None
    """Clips that show what this says; needs embeddings of CLIP, and `clip_weights`."""
    clip: str | None = None
    """Clips like this one: its id or the beginning of it, or a video of the lake (its file's name), or any other video file."""
    top: int = 20
    """Clips to show."""
    embedder: str | None = None
    """Which embeddings; may be left out when the lake has those of one embedder only."""
    clip_weights: Path | None = None
    """open_clip weights that the embeddings were made with; for `text`, and for a file that is not in the lake."""
    clip_model: str = "ViT-L-14-quickgelu"
    """open_clip's name of their architecture."""
    sheet: Path | None = None
    """Picture to write, .png or .jpg: three frames of each clip found."""

    def __post_init__(self) -> None:
        if (self.text is None) == (self.clip is None):
            raise ValueError("what is looked for? give --text WORDS or --clip ID, one of them")
        if self.text is not None and not self.text.strip():
            raise ValueError("--text is empty, wanted words")
        if self.top < 1:
            raise ValueError(f"--top is {self.top}, wanted at least 1")


@dataclass(frozen=True)
class Query:
    """What is looked for, as vectors."""

    vectors: np.ndarray
    """(Q, D) float32 of unit length."""
    clip_ids: tuple[str, ...] = ()
    """Clips of the lake that they are of: not to be found themselves."""


def choose_embedder(connection: "duckdb.DuckDBPyConnection", config: FindConfig) -> str:
    """The embedder asked for, or the only one that can be meant. Raises UsageError naming those there are."""
    names = [row[0] for row in ask(connection, "select distinct embedder from embeddings order by embedder").rows]
    if not names:
        raise UsageError(
            f"{config.lake}: has no embeddings; name an embedder in the YAML and run moviegen curate embed"
        )
    if config.embedder is not None and config.embedder not in names:
        raise UsageError(f"{config.lake}: no embeddings of {config.embedder!r}; there are those of {', '.join(names)}")
    if config.embedder is not None:
        return config.embedder
    if config.text is not None and CLIP not in names:
        raise UsageError(
            f"{config.lake}: has embeddings of {', '.join(names)}, which know no words; embed it with {CLIP!r}, or say "
            "--embedder NAME if one of them is of a CLIP"
        )
    if config.text is None and len(names) > 1:
        raise UsageError(f"{config.lake}: which embeddings? there are {', '.join(names)}; say --embedder NAME")
    return CLIP if config.text is not None else names[0]


def make_query(lake: Lake, connection: "duckdb.DuckDBPyConnection", config: FindConfig, embedder: str) -> Query:
    """The vectors of what is looked for. Raises UsageError when there are none or the model is not given."""
    if config.text is not None:
        return Query(_clip_network(config, f"--text {config.text!r}").embed_text(config.text).numpy())
    name = str(config.clip)
    clip_ids = lake_clips(connection, name)
    if clip_ids:
        return Query(_stored_vectors(lake, clip_ids, embedder), clip_ids)
    if not Path(name).is_file():
        raise UsageError(
            f"{lake.root}: no clip's id begins with {name!r}, no video of it is called so, and there is no such file; "
            f"moviegen stats {lake.root} clips shows the ids"
        )
    if embedder != CLIP and config.embedder is None:
        raise UsageError(
            f"{name}: is not in {lake.root}, and its embeddings are of {embedder!r}; ingest and embed the file, or say --embedder NAME if "
            "they are of a CLIP"
        )
    network = _clip_network(config, f"{name}, a file that is not in {lake.root},")
    return Query(network.embed_images(_file_frames(Path(name))).numpy())


def lake_clips(connection: "duckdb.DuckDBPyConnection", name: str) -> tuple[str, ...]:
    """Clips of that id, or whose only the beginning of the id it is, or of the video of that uri or file name; none where nothing is so
    called. Raises UsageError when several are meant."""
    found = ask(connection, "select distinct clip_id from clips where starts_with(clip_id, ?) limit 2", [name]).rows
    if len(found) > 1:
        raise UsageError(
            f"--clip {name}: several ids begin so, among them {found[0][0]} and {found[1][0]}; give more of it"
        )
    if found:
        return (found[0][0],)
    names = [name, str(Path(name).resolve()), f"/{name}"]
    videos = ask(connection, _VIDEO, names).rows
    if len(videos) > 1:
        raise UsageError(f"--clip {name}: several videos are called so, among them {videos[0][1]} and {videos[1][1]}")
    if not videos:
        return ()
    ids = ask(connection, "select distinct clip_id from clips where video_id = ? order by clip_id", [videos[0][0]]).rows
    if not ids:
        raise UsageError(f"--clip {name}: {videos[0][1]} gave no clip; moviegen stats LAKE inputs says why")
    return tuple(row[0] for row in ids)


_VIDEO = "select distinct video_id, uri from unique_videos where uri in (?, ?) or ends_with(uri, ?) order by uri"


def _stored_vectors(lake: Lake, clip_ids: tuple[str, ...], embedder: str) -> np.ndarray:
    """(Q, D) of these clips, in order of clip and place."""
    from curation.rows import read_files
    from moviegen.contracts.tables import TABLES

    files = lake.files([part for part in lake.committed_parts("embeddings") if part.num_rows])
    rows = read_files(files, TABLES["embeddings"], clip_id=clip_ids, embedder=[embedder])
    if not rows:
        raise UsageError(
            f"clip {clip_ids[0]}: has no vector of {embedder}; rejected before it was embedded, or not embedded yet"
        )
    rows = {(row["clip_id"], row["place"]): row["vector"] for row in rows}  # a clip of two batches is there twice
    return np.array([rows[key] for key in sorted(rows)], np.float32)


def _clip_network(config: FindConfig, what: str):
    """The CLIP of the config. Raises UsageError saying what to give."""
    from curation.detectors.base import check_package
    from curation.detectors.clip_model import load_clip

    if config.clip_weights is None or not config.clip_weights.is_file():
        lacks = "give --clip_weights FILE" if config.clip_weights is None else f"there is no file {config.clip_weights}"
        raise UsageError(
            f"{what} must be embedded as the clips of {config.lake} were: {lacks}, open_clip weights of {config.clip_model} "
            "(or say --clip_model) that the embeddings were made with"
        )
    check_package("clip", "open_clip", "pip install 'moviegen[detectors]'")
    return load_clip("clip", config.clip_weights, config.clip_model)


def _file_frames(path: Path) -> list[np.ndarray]:
    from moviegen.media.worker import guarded_call

    return guarded_call("curation.queries.spread_frames", str(path), FILE_FRAMES, timeout_s=TIMEOUT_S)


def spread_frames(path: str, count: int) -> list[np.ndarray]:
    """(H, W, 3) uint8 RGB frames of a file, spread evenly. Runs in the guarded worker."""
    from moviegen.contracts.bucket import sample_frame_indices
    from moviegen.media.read import open_video, read_frames_at

    with open_video(Path(path)) as video:
        pts = [timed.pts for timed in video.frames()]
    places = sample_frame_indices(len(pts), min(count, len(pts)))
    return [frame.image for frame in read_frames_at(Path(path), [pts[place] for place in places])]
