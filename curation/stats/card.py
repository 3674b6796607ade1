"""`moviegen curate card`: the card and the metadata that make the shards folder a dataset repository for the hub's viewer."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curation.dedup import NEAR_DUPLICATE
from curation.gc import IN_A_STORE, stray_tars
from moviegen import __version__
from moviegen.contracts.lake import Lake, atomic_write, existing_lake
from moviegen.contracts.store import url_of
from moviegen.disk import writing
from moviegen.errors import UsageError
from moviegen.messages import printable

from .content import question, subset_names
from .duck import SQL, ask, ask_arrow, open_lake
from .pages import TEMPLATES, number, span
from .show import write_parquet
from .wide import with_score_columns

if TYPE_CHECKING:
    import duckdb

FOLDER = "shards"
CARD = "README.md"
METADATA = "metadata.parquet"

SIZES = (
    ("n<1K", 10**3),
    ("1K<n<10K", 10**4),
    ("10K<n<100K", 10**5),
    ("100K<n<1M", 10**6),
    ("1M<n<10M", 10**7),
    ("10M<n<100M", 10**8),
)
"""The hub's names for numbers of samples, and what they stay below."""


@dataclass(frozen=True)
class CardConfig:
    """Which lake the card is about, and what only its owner knows."""

    lake: Path
    """Folder of the lake."""
    name: str | None = None
    """Name of the dataset, for people; the lake's folder when left out."""
    license: str | None = None
    """Licence of the videos, by the hub's short name (`cc-by-4.0`); when left out the card says that none is stated."""


def card(argv: Sequence[str]) -> int:
    """`moviegen curate card LAKE`; returns the exit code."""
    from moviegen.config import parse_config

    examples = [
        "moviegen curate card lake/",
        'moviegen curate card lake/ --license cc-by-4.0 --name "Street scenes"',
    ]
    config, _ = parse_config(
        CardConfig, argv, prog="moviegen curate card",
        summary="Write the dataset card and metadata that make the shards folder a dataset repository.",
        examples=examples, positionals=["lake"],
    )  # fmt: skip
    for place in write_card(config):
        print(place)
    return 0


def write_card(config: CardConfig) -> list[str]:
    """Where it wrote: the metadata of each subset with shards, then the card.

    Raises UsageError when there is no shard, or a tar that does not count.
    """
    lake = existing_lake(config.lake)
    if strays := [path for path in stray_tars(lake) if path.startswith(f"{FOLDER}/")]:
        advice = f"`moviegen curate gc {lake.place} --older_than 0s` deletes them" if lake.store is None else IN_A_STORE
        raise UsageError(
            f"{lake.place}: tars that no commit names: {len(strays)}, such as {min(strays)}; "
            f"a dataset repository would hold them too. {advice[0].upper() + advice[1:]}"
        )
    connection = open_lake(config.lake)
    try:
        subsets = [about for name in subset_names(connection) if (about := about_subset(connection, name)) is not None]
        if not subsets:
            raise UsageError(f"{lake.place}: holds no shard yet; moviegen curate run writes them")
        written = [_write_metadata(connection, lake, about) for about in subsets]
        text = card_text(config, lake, subsets)
    finally:
        connection.close()
    path = f"{FOLDER}/{CARD}"
    with writing(lake.root / path, lambda: len(text)), atomic_write(lake.root / path, "page") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return [_put(lake, config.lake, each) for each in (*written, path)]


def _put(lake: Lake, place: Path, path: str) -> str:
    if lake.store is not None:
        lake.store.put_file(path, lake.root / path)
    return f"{url_of(place) or place}/{path}"


@dataclass(frozen=True)
class AboutSubset:
    """What a card says of a subset."""

    name: str
    num_samples: int
    size_bytes: int
    tables: dict[str, list[dict]]


def about_subset(connection: "duckdb.DuckDBPyConnection", name: str) -> AboutSubset | None:
    """The facts about a subset; None where it has no shard."""

    def of_subset(asked: str) -> list[dict]:
        return ask(connection, asked, [name]).records()

    totals = of_subset(
        "select sum(num_samples)::bigint as n, sum(size_bytes)::bigint as size from shards where subset = ?"
    )[0]
    if not totals["n"]:
        return None
    tables = {
        "funnel": of_subset(question("funnel")),
        "buckets": of_subset("select * exclude (subset) from bucket_map where subset = ?"),
        "captioners": of_subset(question("captioners")),
        "rejections": of_subset("from rejections where subset = ?"),
        "sources": of_subset(question("sources")),
        "sounds": of_subset(
            "select kinds, sum(num_clips)::bigint as num_clips from sound_buckets where subset = ? and state = 'accepted' group by kinds"
        ),
        "words": ask(connection, question("words"), [name, 40]).records(),
        "failures": of_subset(_FAILED),
    }
    return AboutSubset(name, totals["n"], totals["size"], tables)


_FAILED = """
select
    (select count(*) from inputs where subset = $1 and state = 'failed' and num_clips = 0) as num_files,
    (select count(*) from clip_states where subset = $1 and state = 'failed') as num_clips
"""


def _write_metadata(connection: "duckdb.DuckDBPyConnection", lake: Lake, about: AboutSubset) -> str:
    """One row a sample, in the order of the tars; its path below the lake's root. Names no file of this machine."""
    rows = ask_arrow(connection, (SQL / "exports" / "metadata.sql").read_text(), [about.name])
    path = f"{FOLDER}/subset={about.name}/{METADATA}"
    write_parquet(with_score_columns(rows), lake.root / path)
    return path


def card_text(config: CardConfig, lake: Lake, subsets: Sequence[AboutSubset]) -> str:
    """The README.md: a YAML head that the hub's viewer reads, and what people want to know.

    Raises UsageError where huggingface_hub is missing.
    """
    try:
        from huggingface_hub import DatasetCard, DatasetCardData
    except ModuleNotFoundError as error:
        raise UsageError("moviegen curate card needs huggingface_hub: pip install huggingface_hub") from error
    total = sum(about.num_samples for about in subsets)
    name = config.name or Path(lake.place).name
    head = DatasetCardData(
        license=config.license,
        pretty_name=name,
        task_categories=["text-to-video"],
        size_categories=[next((words for words, bound in SIZES if total < bound), "100M<n<1B")],
        tags=["video", "webdataset", "moviegen"],
        configs=[each for about in subsets for each in _configs(about.name, is_first=about is subsets[0])],
        dataset_info=[_info(about) for about in subsets],
    )
    content = {
        "name": _markdown(name),
        "license": _markdown(config.license or ""),
        "total": number(total),
        "is_deduplicated": all(_has_rule(about, NEAR_DUPLICATE) for about in subsets),
        "version": __version__,
        "subsets": [_shown(about) for about in subsets],
    }
    return str(DatasetCard.from_template(head, template_path=str(TEMPLATES / "card.md"), **content))


def _has_rule(about: AboutSubset, name: str) -> bool:
    return any(row["step"] == name for row in about.tables["funnel"])


def _configs(subset: str, is_first: bool) -> list[dict]:
    """The viewer's two views of a subset: its samples, and its metadata."""
    tars = {"config_name": subset, "data_files": [{"split": "train", "path": f"subset={subset}/bucket=*/*.tar"}]}
    rows = {
        "config_name": f"{subset}-metadata",
        "data_files": [{"split": "train", "path": f"subset={subset}/{METADATA}"}],
    }
    return [tars | ({"default": True} if is_first else {}), rows]


def _info(about: AboutSubset) -> dict:
    split = {"name": "train", "num_bytes": about.size_bytes, "num_examples": about.num_samples}
    return {
        "config_name": about.name,
        "splits": [split],
        "download_size": about.size_bytes,
        "dataset_size": about.size_bytes,
    }


def _shown(about: AboutSubset) -> dict:
    """A subset as the template wants it: every text safe in Markdown."""
    tables = {
        name: [{key: _cell(key, value) for key, value in row.items()} for row in rows]
        for name, rows in about.tables.items()
    }
    facts = about.tables["sources"][0]
    return {
        "name": _markdown(about.name),
        "raw_name": about.name,
        "num_samples": number(about.num_samples),
        "megabytes": f"{about.size_bytes / 1e6:,.1f}",
        "hours": span(facts["hours"]),
        **tables,
    }


def _cell(key: str, value: object) -> str:
    if isinstance(value, str):
        return _markdown(value)
    return span(value) if key.startswith("hours") else number(value)


def _markdown(text: str) -> str:
    """A text from outside on one line of a Markdown table, in which nothing of it is markup."""
    flat = " ".join(printable(text).split())
    return re.sub(r"([\\`*_{}\[\]|#!~])", r"\\\1", html.escape(flat, quote=False))
