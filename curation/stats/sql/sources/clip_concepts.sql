select
    batch,
    subset,
    clip_id,
    concept,
    num_alike,
    share,
    is_human,
from read_parquet(getvariable('clip_concepts_files'), hive_partitioning = true, hive_types_autocast = false)
