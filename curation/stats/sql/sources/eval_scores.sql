select
    batch,
    run,
    item,
    metric,
    status,
    value,
    reason,
    source,
    reference,
    weights,
    version,
    tags,
from read_parquet(getvariable('eval_scores_files'), hive_partitioning = true, hive_types_autocast = false)
