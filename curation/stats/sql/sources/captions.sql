select
    batch,
    clip_id,
    captioner,
    text,
    camera_motion,
    captioner_version,
from read_parquet(getvariable('captions_files'), hive_partitioning = true, hive_types_autocast = false)
