-- a video whose shots leave out a frame between its first and its last
select
    batch,
    video_id,
    min(start_frame) as first_frame,
    sum(num_frames) as num_frames,
    max(start_frame + num_frames) as end_frame,
from shots
group by all
having min(start_frame) <> 0 or sum(num_frames) <> max(start_frame + num_frames)
