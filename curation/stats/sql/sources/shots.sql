select
    batch,
    video_id,
    shot,
    start_pts,
    end_pts,
    start_frame,
    num_frames,
    transition,
    transition_frames,
    score,
from read_parquet(getvariable('shots_files'), hive_partitioning = true, hive_types_autocast = false)
