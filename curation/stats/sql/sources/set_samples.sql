select
    batch,
    kind,
    subset,
    key,
    clip_id,
    task,
    text,
    path,
from read_parquet(getvariable('set_samples_files'), hive_partitioning = true, hive_types_autocast = false)
