-- how shots begin: cuts, dissolves, fades, wipes, slides, and how long these last
select
    transition,
    count(*) as num_shots,
    count(distinct video_id) as num_videos,
    round(avg(num_frames), 1) as mean_frames,
    round(avg(transition_frames), 1) as mean_transition_frames,
    max(transition_frames) as longest_transition_frames,
from shots
group by all
order by num_shots desc, transition
