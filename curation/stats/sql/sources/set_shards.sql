select
    batch,
    path,
    kind,
    subset,
    num_samples,
    size_bytes,
    sha256,
from read_parquet(getvariable('set_shards_files'), hive_partitioning = true, hive_types_autocast = false)
