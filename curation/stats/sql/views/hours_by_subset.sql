-- what a subset holds
select
    subset,
    state,
    count(*) as num_clips,
    count(distinct video_id) as num_videos,
    round(sum(duration_s) / 3600, 4) as hours,
from clip_states
group by all
order by subset, state
