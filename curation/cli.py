"""The verbs `moviegen curate` and `moviegen stats`."""

from moviegen.cli import Command

CURATE = Command(
    "curate",
    "raw video to shards: ingest, split, score, filter, caption, shard, check, report",
    "curation.cli:curate",
    "curation",
)
STATS = Command("stats", "ask DuckDB what is in a lake and why a clip was dropped", "curation.cli:stats", "curation")
