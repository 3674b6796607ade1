select
    batch,
    subset,
    clip_id,
    path,
    caption,
    captioner,
    width,
    height,
    num_frames,
    has_audio,
from read_parquet(getvariable('samples_files'), hive_partitioning = true, hive_types_autocast = false)
