select
    batch,
    clip_id,
    detector,
    metric,
    score,
    detector_version,
from read_parquet(getvariable('scores_files'), hive_partitioning = true, hive_types_autocast = false)
