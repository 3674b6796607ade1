select
    batch,
    subset,
    clip_id,
    kept_id,
    matched_id,
    similarity,
    share,
    is_mirrored,
from read_parquet(getvariable('copies_files'), hive_partitioning = true, hive_types_autocast = false)
