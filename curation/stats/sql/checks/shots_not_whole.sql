-- a video whose shots leave out a frame, or whose frames were not all measured
with joined as (
    select
        batch,
        video_id,
        min(start_frame) as first_frame,
        sum(num_frames) as num_frames,
        max(start_frame + num_frames) as end_frame,
    from shots
    group by all
),

measured as (
    select batch, video_id, sum(num_frames) as num_measured
    from signals
    group by all
)

select
    joined.*,
    measured.num_measured,
from joined
left join measured using (batch, video_id)
where
    first_frame <> 0
    or num_frames <> end_frame
    or num_frames is distinct from num_measured
