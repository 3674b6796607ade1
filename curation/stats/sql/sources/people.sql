select
    batch,
    clip_id,
    pts,
    num_faces,
    num_tracks,
    boxes,
    identity_step,
    embedding,
from read_parquet(getvariable('people_files'), hive_partitioning = true, hive_types_autocast = false)
