select
    batch,
    subset,
    clip_id,
    keep,
    reason,
    detail,
    skipped,
from read_parquet(getvariable('selection_files'), hive_partitioning = true, hive_types_autocast = false)
