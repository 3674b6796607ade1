-- how much two metrics go together, by rank (Spearman), the strongest first; of at most 20,000 clips, the same ones each time.
-- two that say the same are one detector too many
with chosen as (
    select clip_id
    from clips
    order by md5(clip_id)
    limit 20000
),

ranked as (
    select
        clip_id,
        metric,
        rank() over (partition by metric order by score) as low_rank,
        count(*) over (partition by metric, score) as num_equal,
    from scores
    semi join chosen using (clip_id)
),

placed as (
    -- equal scores share the mean of their ranks
    select clip_id, metric, low_rank + (num_equal - 1) / 2 as place
    from ranked
)

select
    a.metric,
    b.metric as other,
    count(*) as num_clips,
    round(corr(a.place, b.place), 4) as correlation,
from placed as a
inner join placed as b on a.clip_id = b.clip_id and a.metric < b.metric
group by all
having count(*) >= 3 and stddev_pop(a.place) > 0 and stddev_pop(b.place) > 0
order by abs(correlation) desc, a.metric, other
