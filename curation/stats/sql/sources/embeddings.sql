select
    batch,
    clip_id,
    embedder,
    place,
    vector,
    embedder_version,
from read_parquet(getvariable('embeddings_files'), hive_partitioning = true, hive_types_autocast = false)
