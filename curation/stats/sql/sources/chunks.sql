select
    batch,
    video_id,
    chunk,
    content,
from read_parquet(getvariable('chunks_files'), hive_partitioning = true, hive_types_autocast = false)
