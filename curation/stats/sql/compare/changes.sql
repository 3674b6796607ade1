-- what became of the clips that both sides have, and how many only one has: the same clip has the same id in every lake
with joined as (
    select
        coalesce(a.state, 'not there') as state_a,
        coalesce(a.reason, '') as reason_a,
        coalesce(b.state, 'not there') as state_b,
        coalesce(b.reason, '') as reason_b,
        coalesce(a.duration_s, b.duration_s) as duration_s,
        clip_id,
    from clips_a as a
    full join clips_b as b using (clip_id)
),

counted as (
    select
        state_a,
        reason_a,
        state_b,
        reason_b,
        count(*) as num_clips,
        round(sum(duration_s) / 3600, 4) as hours,
        min(clip_id) as example,
    from joined
    group by all
)

select *
from counted
order by state_a = state_b and reason_a = reason_b, num_clips desc, state_a, reason_a, state_b, reason_b
