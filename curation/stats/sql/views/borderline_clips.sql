-- clips near a rule's bound, the nearest 20 a rule and side, at most a quarter of the metric's span away; `distance` is in spans,
-- and the bound is that by which the clip's own batch was filtered
with spans as (
    select metric, greatest(max(score) - min(score), 1e-9) as span
    from scores
    group by all
),

measured as (
    select
        rules.subset,
        rules.position,
        rules.rule,
        rules.bound,
        scores.clip_id,
        scores.metric,
        scores.score,
        clip_states.state,
        clip_states.reason = rules.rule as is_rejected_here,
        least(abs(scores.score - rules.min), abs(scores.score - rules.max)) / spans.span as distance,
    from rules
    inner join scores using (metric, batch)
    inner join spans using (metric)
    inner join clip_states
        on scores.clip_id = clip_states.clip_id and rules.subset = clip_states.subset and rules.batch = clip_states.batch
    where clip_states.state in ('accepted', 'pending') or clip_states.reason = rules.rule
)

select
    *,
    row_number() over (partition by subset, rule, is_rejected_here order by distance, clip_id) as place,
from measured
where distance <= 0.25
qualify place <= 20
order by subset, position, is_rejected_here, place
