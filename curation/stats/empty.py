"""Why a view has no rows: the section of the config that fills it was off, the job has not run, or there is nothing to find."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.concepts import CONCEPT
from curation.dedup import NEAR_DUPLICATE
from curation.sound_buckets import SOUND_BUCKET
from moviegen.contracts.lake import Lake

from .duck import ask

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Source:
    """What fills some views."""

    what: str
    """What was not done when it was off."""
    how: str
    """What turns it on."""
    nothing: str
    """What it means that it was on and there are no rows."""
    rule: str = ""
    """It was on where the table `rules` has this rule."""
    table: str = ""
    """It was on where this table is committed, be it without rows."""
    detectors: tuple[str, ...] = ()
    """It was on where one of these has measured a clip."""


_DEDUP = Source(
    "near-duplicates were not looked for: the section `dedup` of the config was off",
    "say `dedup: {embedder: fingerprint}` and `embed: {embedders: {fingerprint: {}}}`, then moviegen curate run",
    "near-duplicates were looked for and none was found",
    rule=NEAR_DUPLICATE,
)
_CONCEPTS = Source(
    "concepts were not balanced: the section `balance` of the config was off",
    "say `balance: {embedder: clip}` and embed with `clip`, then moviegen curate run",
    "concepts were balanced, and no clip was left to be in one",
    rule=CONCEPT,
)
_SOUNDS = Source(
    "nobody listened: `score.detectors` had no `sound_tags` and no `sync`",
    "add them with the paths of their models (curation/detectors/README.md), then moviegen curate run; "
    "the section `sound` then chooses by them",
    "no clip has sound that could be measured",
    rule=SOUND_BUCKET,
    detectors=("sound_tags", "sync"),
)
_EMBED = Source(
    "no clip was embedded: `embed.embedders` of the config was empty",
    "say `embed: {embedders: {fingerprint: {}}}`, then moviegen curate run",
    "no clip was left to be embedded",
    table="embeddings",
)
_CAPTIONS = Source(
    "nothing was captioned yet, or `caption.captioners` of the config was empty",
    "name captioners there, then moviegen curate run",
    "no clip was left to be captioned",
    table="captions",
)
_REJECTED = Source(_CAPTIONS.what, _CAPTIONS.how, "every caption was fit", table="captions")
_SHARDS = Source("no shard was written yet", "moviegen curate run", "no clip was left for a shard", table="shards")
_FILTER = Source("no rule was applied yet", "moviegen curate run, or filter", "the rules were applied", table="rules")
_PERSONAL = Source(
    "the personalisation set was not made: it is a job of its own, with the section `personal` of the config",
    "moviegen curate personal",
    "no clip shows one person who stays the same",
    table="people",
)
_SETS = Source(
    "no set was made: they are jobs of their own, with the sections `personal` and `edits` of the config",
    "moviegen curate personal, or edits",
    "no clip was fit for the set",
    table="set_samples",
)

SOURCES = (
    dict.fromkeys(("duplicates", "copies"), _DEDUP)
    | dict.fromkeys(("concepts", "clip_concepts"), _CONCEPTS)
    | dict.fromkeys(("clip_sounds", "sound_buckets"), _SOUNDS)
    | {"embeddings": _EMBED, "embedders": _EMBED, "people": _PERSONAL, "caption_rejections": _REJECTED}
    | dict.fromkeys(("captions", "caption_lengths", "caption_fates", "caption_words", "clip_captions"), _CAPTIONS)
    | dict.fromkeys(("shards", "samples", "shard_sizes", "bucket_fill", "bucket_map"), _SHARDS)
    | dict.fromkeys(("rules", "selection", "rule_steps", "rule_verdicts", "rule_effects", "rule_overlaps"), _FILTER)
    | dict.fromkeys(("set_samples", "set_shards"), _SETS)
)
"""View or table -> what fills it."""


def why_empty(connection: "duckdb.DuckDBPyConnection", lake: Lake, name: str) -> str:
    """Why the view or table of that name has no rows, and what would fill it; empty where that cannot be said."""
    source = SOURCES.get(name)
    if source is None:
        return ""
    return source.nothing if _was_on(connection, lake, source) else f"{source.what}; to turn it on {source.how}"


def _was_on(connection: "duckdb.DuckDBPyConnection", lake: Lake, source: Source) -> bool:
    if source.table and lake.batches(source.table):
        return True
    rules = "select count(*) from rules where rule = ?"
    scores = "select count(*) from scores where list_contains(?, detector)"
    return bool(ask(connection, rules, [source.rule]).rows[0][0]) or bool(
        source.detectors and ask(connection, scores, [list(source.detectors)]).rows[0][0]
    )
