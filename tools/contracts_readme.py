"""Writes moviegen/contracts/README.md from the code: `contracts_readme.py` writes it, a test compares it."""

import dataclasses
from pathlib import Path

from moviegen.contracts import audio_caption, bucket, clip, lake, sample, sets, shard, stage
from moviegen.contracts.table import Table
from moviegen.contracts.tables import TABLES

PATH = Path(__file__).resolve().parents[1] / "moviegen" / "contracts" / "README.md"

HEAD = """# Contracts: what lies on disk

Curation writes it, training reads it, DuckDB asks it. Everything here is the standard library; tables are data (`tables.py`, evaluation's
in `eval_tables.py`), and the Spark, Arrow and DuckDB schemas, the checks and this page are made from them
(`python tools/contracts_readme.py` writes this page).

- `LAKE/<table>/batch=<B>/part-*.parquet` holds rows; `LAKE/_commits/<table>/<B>.json` says which parts count. Nothing else is read.
- `LAKE/shards/subset=<S>/bucket=<K>/<NNNNNN>.tar` holds samples; the `shards` table says which tars count, with their SHA-256.
- A sample is `<clip_id>.json` + `.mp4` (images `.jpg`, audio `.flac`) + `.txt`, in that order of suffix, mtime 0, uid 0.
- `LAKE/sets/kind=<K>/subset=<S>/<hash>.tar` holds samples of another make (`sets.py`): `set_shards` and `set_samples` say which count.
  *personal*: `<key>.json` + `.mp4` + `.ref0.jpg` ... + `.txt`; *edits*: `<key>.input.mp4` + `.json` + `.target.mp4` + `.txt`.
- Time is exact: timestamps are integers on a rational time base; seconds are derived. Frame rates are fractions. Sizes are as displayed.
- `failed` (could not be read), `rejected` (a rule said no) and `missing` (no score) are three different things.
"""


def table_section(table: Table) -> str:
    """A table's section: key, writers, and one line a column."""
    lines = [
        f"### {table.name}",
        "",
        f"{table.meaning} Key: {', '.join(table.key)}. Written by: {', '.join(table.written_by)}.",
        "",
    ]
    lines += ["| column | type | unit | null | meaning |", "|---|---|---|---|---|"]
    for column in table.columns:
        lines.append(
            f"| {column.name} | {column.type} | {column.unit} | {'yes' if column.nullable else ''} | {column.meaning} |"
        )
    return "\n".join(lines)


def record_section(record: type) -> str:
    """A record's section: its docstring's first line and its fields with their types."""
    first = (record.__doc__ or "").strip().split("\n")[0]
    rows = [f"| {f.name} | {_type_name(f.type)} |" for f in dataclasses.fields(record)]
    return "\n".join(
        [
            f"### {record.__module__.rsplit('.', 1)[-1]}.{record.__name__}",
            "",
            first,
            "",
            "| field | type |",
            "|---|---|",
            *rows,
        ]
    )


def _type_name(annotation: object) -> str:
    text = (
        annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, "__args__") else str(annotation)
    )
    return text.replace("|", "or").replace("moviegen.contracts.", "")


RECORDS = (
    clip.Video, clip.Shot, clip.Clip, bucket.Bucket, bucket.AspectBucket, bucket.DurationBucket, bucket.BucketSet,
    sample.SampleMeta, audio_caption.AudioCaption, shard.ShardName, shard.Shard, sets.Reference, sets.PersonalMeta,
    sets.EditMeta, lake.Part, lake.Commit, stage.StageResult,
)  # fmt: skip


def render() -> str:
    """The whole page."""
    tables = [table_section(table) for table in TABLES.values()]
    records = [record_section(record) for record in RECORDS]
    return "\n\n".join([HEAD.strip(), "## Tables", *tables, "## Records", *records]) + "\n"


if __name__ == "__main__":
    PATH.write_text(render())
