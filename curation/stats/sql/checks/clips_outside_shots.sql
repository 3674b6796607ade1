-- a clip that does not lie inside its shot
select
    clips.clip_id,
    clips.video_id,
    clips.shot,
    clips.start_frame,
    clips.num_frames,
from clips
left join shots using (video_id, shot)
where
    shots.video_id is null
    or clips.start_frame < shots.start_frame
    or clips.start_frame + clips.num_frames > shots.start_frame + shots.num_frames
    or clips.start_pts < shots.start_pts
    or clips.end_pts > shots.end_pts
