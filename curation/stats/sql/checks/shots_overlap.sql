-- a shot that begins before the one ahead of it has ended, or that is empty
select
    video_id,
    shot,
    start_frame,
    num_frames,
    lag(start_frame + num_frames) over (partition by video_id order by shot) as end_before,
from shots
qualify num_frames < 1 or end_pts <= start_pts or start_frame < end_before
