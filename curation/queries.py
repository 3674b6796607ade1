"""What is looked for in a lake, as vectors: a text, a clip or video of the lake, another file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest
from curation.embedders import embedder_version, load_embedder
from curation.embedders.base import Embedder, check_vectors
from curation.embedders.clip import ClipEmbedder
from curation.stats.duck import ask
from moviegen.contracts.lake import Lake
from moviegen.errors import UsageError

if TYPE_CHECKING:
    import duckdb

CLIP = "clip"
"""Name of the embedder whose vectors a text can be compared with without more being said."""

TIMEOUT_S = 120.0
"""Seconds that a file which is not in the lake may take to be measured."""


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
    """Clips to show; how many more were compared stands below them."""
    embedder: str | None = None
    """Which embeddings; may be left out when the lake has those of one embedder only."""
    clip_weights: Path | None = None
    """open_clip weights that the embeddings were made with; for `text`, and for a file that is not in the lake."""
    clip_model: str | None = None
    """open_clip's name of their architecture; left out, that of the embedder `clip`."""
    params: dict[str, Any] = field(default_factory=dict)
    """The embedder's other parameters, as `embed.embedders` had them: `{count: 8}`, or `{weights: sscd.torchscript.pt}`."""
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
    """The vectors of what is looked for. Raises UsageError when there are none, or the embedder is not that of the lake."""
    version = stored_version(lake, connection, embedder)
    if config.text is not None:
        asked = f"--text {config.text!r}"
        loaded = _load(config, embedder, version, asked)
        if not hasattr(loaded, "embed_text"):
            raise UsageError(f"{asked}: {embedder} knows no words; say --embedder NAME of embeddings of a CLIP")
        return Query(loaded.embed_text(config.text))
    name = str(config.clip)
    clip_ids = lake_clips(connection, name)
    if clip_ids:
        return Query(_stored_vectors(lake, clip_ids, embedder), clip_ids)
    if not Path(name).is_file():
        raise UsageError(
            f"{lake.place}: no clip's id begins with {name!r}, no video of it is called so, and there is no such file; "
            f"moviegen stats {lake.place} clips shows the ids"
        )
    loaded = _load(config, embedder, version, f"{name}, a file that is not in {lake.place},")
    return Query(check_vectors(loaded, loaded.embed(_whole_file(Path(name), loaded.frames)), name))


def stored_version(lake: Lake, connection: "duckdb.DuckDBPyConnection", embedder: str) -> str:
    """The version of the embedder that made the lake's vectors. Raises UsageError when there are several: they are not comparable."""
    question = (
        "select embedder_version, list(distinct batch order by batch) from embeddings where embedder = ? group by all"
    )
    found = ask(connection, question, [embedder]).rows
    if len(found) > 1:
        batches = "; ".join(", ".join(names) for _, names in sorted(found, key=lambda row: row[1]))
        raise UsageError(
            f"{lake.place}: the vectors of {embedder} were made by {len(found)} versions of it, in the batches {batches}; "
            "run moviegen curate embed --batch NAME with one config"
        )
    return found[0][0]


def lake_clips(connection: "duckdb.DuckDBPyConnection", name: str) -> tuple[str, ...]:
    """Clips of that id, or whose only the beginning of the id it is, or of the video of that uri, file name or id; none where nothing is
    so called. Raises UsageError when several are meant."""
    found = ask(connection, "select distinct clip_id from clips where starts_with(clip_id, ?) limit 2", [name]).rows
    if len(found) > 1:
        raise UsageError(
            f"--clip {name}: several ids begin so, among them {found[0][0]} and {found[1][0]}; give more of it"
        )
    if found:
        return (found[0][0],)
    names = [name, str(Path(name).resolve()), f"/{name}"]
    videos = ask(connection, _VIDEO, names).rows or ask(connection, _VIDEO_ID, [name]).rows
    if len(videos) > 1:
        raise UsageError(f"--clip {name}: several videos are called so, among them {videos[0][1]} and {videos[1][1]}")
    if not videos:
        return ()
    ids = ask(connection, "select distinct clip_id from clips where video_id = ? order by clip_id", [videos[0][0]]).rows
    if not ids:
        raise UsageError(f"--clip {name}: {videos[0][1]} gave no clip; moviegen stats LAKE inputs says why")
    return tuple(row[0] for row in ids)


_VIDEO = "select distinct video_id, uri from unique_videos where uri in (?, ?) or ends_with(uri, ?) order by uri"
_VIDEO_ID = "select distinct video_id, uri from unique_videos where starts_with(video_id, ?) order by uri limit 2"


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


def _load(config: FindConfig, name: str, version: str, what: str) -> Embedder:
    """The embedder, with the parameters given. Raises UsageError saying what to give, and when the lake's vectors are not of it."""
    if name == CLIP and (config.clip_weights is None or not config.clip_weights.is_file()):
        lacks = "give --clip_weights FILE" if config.clip_weights is None else f"there is no file {config.clip_weights}"
        raise UsageError(
            f"{what} must be embedded as the clips of {config.lake} were: {lacks}, open_clip weights of "
            f"{config.clip_model or ClipEmbedder.clip_model} (or say --clip_model) that the embeddings were made with"
        )
    given = {"clip_weights": config.clip_weights, "clip_model": config.clip_model}
    params = config.params | {key: value for key, value in given.items() if value is not None}
    try:
        loaded = load_embedder(name, params)
    except UsageError as error:
        raise UsageError(
            f"{what} must be embedded as the clips of {config.lake} were: {error} (here: --params '{{name: value}}')"
        ) from error
    if embedder_version(loaded) != version:
        shown = ", ".join(f"{key} {value}" for key, value in params.items()) or "no parameters"
        raise UsageError(
            f"{what} cannot be compared with the clips of {config.lake}: their vectors of {name} were made with other weights or "
            f"parameters than {shown}, or by another version of it; give --clip_weights, --clip_model and --params as the YAML of "
            "`moviegen curate embed` had them, or embed the lake again"
        )
    return loaded


def _whole_file(path: Path, request: FrameRequest) -> ClipInput:
    from moviegen.media.worker import guarded_call

    return guarded_call("curation.queries.whole_file", str(path), request, timeout_s=TIMEOUT_S)


def whole_file(path: str, request: FrameRequest) -> ClipInput:
    """A file as one clip, from its first frame to its last, as an embedder wants to see it. Runs in the guarded worker."""
    from curation.clips import SplitConfig, split_video
    from curation.scoring import clip_input
    from curation.signals.table import slice_signals
    from moviegen.contracts.clip import Clip
    from moviegen.media.probe import probe

    about = probe(Path(path))
    found = split_video(path, "", SplitConfig())
    num_frames = sum(row["num_frames"] for row in found.signals)
    clip = Clip(
        "", "", 0, found.shots[0]["start_pts"], found.shots[-1]["end_pts"], about.time_base.numerator, about.time_base.denominator,
        0, num_frames, about.fps.numerator, about.fps.denominator, about.width, about.height,
    )  # fmt: skip
    return clip_input(request, clip, {"uri": path}, slice_signals(found.signals, 0, num_frames))
