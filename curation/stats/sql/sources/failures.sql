select
    batch,
    stage,
    input_id,
    error,
    message,
from read_parquet(getvariable('failures_files'), hive_partitioning = true, hive_types_autocast = false)
