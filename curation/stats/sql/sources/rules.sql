select
    batch,
    subset,
    position,
    rule,
    metric,
    min,
    max,
    bound,
    if_missing,
from read_parquet(getvariable('rules_files'), hive_partitioning = true, hive_types_autocast = false)
