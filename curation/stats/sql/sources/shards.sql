select
    batch,
    path,
    subset,
    bucket,
    num_samples,
    size_bytes,
    sha256,
from read_parquet(getvariable('shards_files'), hive_partitioning = true, hive_types_autocast = false)
