-- why clips were rejected
with counted as (
    select
        subset,
        reason,
        count(*) as num_clips,
        round(sum(duration_s) / 3600, 4) as hours,
    from clip_states
    where state = 'rejected'
    group by all
)

select
    *,
    round(100.0 * num_clips / sum(num_clips) over (partition by subset), 2) as share_percent,
from counted
order by subset, num_clips desc, reason
