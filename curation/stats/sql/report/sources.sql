-- what the samples of a subset are made of: videos, hours, sound, and how much of it one video gives
with of_video as (
    select
        clips.video_id,
        count(*) as num_samples,
        sum((clips.end_pts - clips.start_pts) * clips.tb_num / clips.tb_den) / 3600 as hours,
        count(*) filter (samples.has_audio) as num_with_sound,
    from samples
    inner join clips using (batch, clip_id)
    where samples.subset = ?
    group by all
)

select
    count(*) as num_videos,
    sum(num_samples)::bigint as num_samples,
    sum(hours) as hours,
    sum(num_with_sound)::bigint as num_with_sound,
    round(100.0 * max(num_samples) / sum(num_samples), 2) as largest_video_percent,
from of_video
