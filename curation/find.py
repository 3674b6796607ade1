"""`moviegen curate find`: the clips of a lake most like a text or a clip, as a table, JSON or a contact sheet."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curation.queries import FindConfig, Query, choose_embedder, make_query
from curation.retrieval import CHUNK, Hit, embedding_chunks, nearest_clips
from curation.stats.duck import Answer, ask, open_lake
from curation.stats.fit import terminal_width, with_short_ids
from curation.stats.show import as_json, as_table
from moviegen.contracts.lake import existing_lake
from moviegen.errors import UsageError

if TYPE_CHECKING:
    import duckdb

COSINES = 1 << 24
"""Cosines in memory at a time: 64 MiB."""


def find(argv: Sequence[str]) -> int:
    """`moviegen curate find LAKE --text WORDS | --clip ID`; returns the exit code."""
    from moviegen.config import parse_config

    examples = [
        "moviegen curate find lake/ --clip 3f2a9c --top 10 --sheet alike.png",
        "moviegen curate find lake/ --clip holiday.mp4 --json",
        'moviegen curate find lake/ --text "a red ball" --clip_weights ViT-L-14.pt',
    ]
    config, flags = parse_config(
        FindConfig, argv, prog="moviegen curate find", summary="Find clips like a text or a clip, by their embeddings.",
        examples=examples, positionals=["lake"],
        add_flags=lambda parser: parser.add_argument("--json", action="store_true", help="a JSON array of objects"),
    )  # fmt: skip
    width = None if flags.json else terminal_width()
    found = find_clips(config, short_ids=width is not None)
    sys.stdout.write(as_json(found.answer) if flags.json else as_table(found.answer, width, found.says))
    if flags.json and found.num_more:
        print(found.says, file=sys.stderr)
    if config.sheet is not None:
        print(config.sheet, file=sys.stderr)
    return 0


@dataclass(frozen=True)
class Found:
    """The clips found, best first, and how many others there are to be found."""

    answer: Answer
    num_all: int
    """Clips that were compared."""

    @property
    def num_more(self) -> int:
        return self.num_all - len(self.answer.rows)

    @property
    def says(self) -> str:
        """How many of how many, and what shows more."""
        if not self.num_more:
            return f"all {self.num_all:,} clips that were compared"
        return (
            f"the {len(self.answer.rows):,} most alike; {self.num_more:,} more were compared: --top NUMBER shows them"
        )


def find_clips(config: FindConfig, short_ids: bool = False) -> Found:
    """The clips found; writes the sheet when one is wanted. Raises UsageError saying what the lake lacks."""
    from curation.stats.sheet import check_sheet_path

    if config.sheet is not None:
        check_sheet_path(config.sheet)
    lake = existing_lake(config.lake)
    connection = open_lake(config.lake)
    try:
        embedder = choose_embedder(connection, config)
        query = make_query(lake, connection, config, embedder)
        size = max(1024, COSINES // len(query.vectors))
        chunks = embedding_chunks(lake, embedder, min(CHUNK, size))
        hits = nearest_clips(query.vectors, chunks, config.top, frozenset(query.clip_ids))
        if config.sheet is not None:
            _write_sheet(connection, config.sheet, query, hits)
        answer = describe(connection, hits)
        answer = with_short_ids(connection, answer) if short_ids else answer
        others = ask(connection, _COMPARED, [embedder, list(query.clip_ids)]).rows
        return Found(answer, others[0][0])
    finally:
        connection.close()


_COMPARED = "select count(distinct clip_id) from embeddings where embedder = ? and not list_contains(?, clip_id)"

_HITS = """
with hits as (
    select
        unnest(?::varchar[]) as clip_id,
        unnest(?::double[]) as similarity,
        unnest(?::integer[]) as rank,
)

select
    hits.rank,
    round(hits.similarity, 4) as similarity,
    clip_id,
    min(unique_videos.uri) as file,
    round(min(clips.start_pts * clips.tb_num / clips.tb_den), 3) as start_s,
    round(min(clips.end_pts * clips.tb_num / clips.tb_den), 3) as end_s,
    min_by(captions.text, captions.captioner) as caption,
from hits
left join clips using (clip_id)
left join unique_videos on clips.video_id = unique_videos.video_id
left join captions using (clip_id)
group by all
order by hits.rank
"""


def describe(connection: "duckdb.DuckDBPyConnection", hits: Sequence[Hit]) -> Answer:
    """Rank, similarity, clip, its file, its span in seconds, and a caption where it has one."""
    columns = [[hit.clip_id for hit in hits], [hit.similarity for hit in hits], list(range(1, len(hits) + 1))]
    return ask(connection, _HITS, columns)


def _write_sheet(connection: "duckdb.DuckDBPyConnection", path: Path, query: Query, hits: Sequence[Hit]) -> None:
    """The clip looked for first, then those found."""
    from curation.stats.sheet import SheetClip, write_sheet

    words = dict.fromkeys(query.clip_ids[:1], "looked for")
    words |= {hit.clip_id: f"{rank}: {hit.similarity:.3f}" for rank, hit in enumerate(hits, 1)}
    frames = ask(
        connection, "select clip_id, uri, pts from clip_frames where list_contains(?, clip_id)", [list(words)]
    ).rows
    places = {clip_id: (uri, tuple(pts)) for clip_id, uri, pts in frames}
    clips = [
        SheetClip(*places.get(clip_id, ("", ())), f"{text}  {clip_id[:8]}  {Path(places.get(clip_id, ('',))[0]).name}")
        for clip_id, text in words.items()
    ]
    if not clips:
        raise UsageError("no clip was found, so there is no sheet to write")
    write_sheet(path, clips)
