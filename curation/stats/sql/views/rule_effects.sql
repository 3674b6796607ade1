-- what each rule would reject alone, and what no other rule would; `num_rejected` is what it did, in its place of the funnel.
-- a rule that alone rejects nothing that the others keep can go
with decided as (
    select
        rules.subset,
        rules.batch,
        rules.position,
        rules.rule,
        rules.bound,
        scores.clip_id,
        not coalesce(scores.score >= rules.min, true) or not coalesce(scores.score <= rules.max, true) as is_outside,
    from rules
    inner join scores on rules.metric = scores.metric and rules.batch = scores.batch
),

outside as (
    select subset, batch, clip_id, count(*) filter (is_outside) as num_outside
    from decided
    group by all
),

counted as (
    select
        decided.subset,
        decided.position,
        decided.rule,
        decided.bound,
        count(*) as num_measured,
        count(*) filter (is_outside) as num_outside,
        count(*) filter (is_outside and outside.num_outside = 1) as num_outside_only_here,
    from decided
    inner join outside using (subset, batch, clip_id)
    group by all
),

rejected as (
    select subset, reason as rule, count(*) as num_rejected
    from selection
    where not keep
    group by all
)

select
    counted.*,
    coalesce(rejected.num_rejected, 0) as num_rejected,
from counted
left join rejected using (subset, rule)
order by subset, position
