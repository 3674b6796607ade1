-- a signal without one value a frame (motion vectors may be empty: not every codec has them)
select
    video_id,
    chunk,
    num_frames,
    len(pts_s) as num_times,
    len(cut_score) as num_cut_scores,
    len(motion) as num_motions,
    len(motion_vector) as num_motion_vectors,
from signals
where
    len(pts) <> num_frames
    or len(pts_s) <> num_frames
    or len(cut_score) <> num_frames
    or len(motion) <> num_frames
    or len(motion_vector) not in (0, num_frames)
    or len(luma) <> num_frames
    or len(border_top) <> num_frames
    or len(border_bottom) <> num_frames
    or len(border_left) <> num_frames
    or len(border_right) <> num_frames
