-- how many clips of a subset, and hours of them, hold which sounds in which bucket; `none`: in no row of Table 23
select
    clip_states.subset,
    clip_states.state,
    coalesce(nullif(clip_sounds.kinds, ''), 'nothing') as kinds,
    coalesce(clip_sounds.bucket, 'none') as bucket,
    count(*) as num_clips,
    round(sum(clip_states.duration_s) / 3600, 4) as hours,
    round(avg(clip_sounds.cosine), 4) as mean_cosine,
from clip_sounds
inner join clip_states using (batch, clip_id)
group by all
order by subset, state, kinds, bucket
