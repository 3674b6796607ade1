-- clips out of each rule's bound, those out of no other's as far as measured (rejected early: not by all), and its rejects in the funnel
-- A clip that a rule rejects is not shown to costlier detectors, nor asked for near-duplicates: nothing is known of it there.
-- Whether a bound is allowed itself stands in its words alone; a clip without the score is out of bounds of a rule that rejects
-- what is missing, unless its detector failed. In the funnel it goes to a rule that a score breaks, if there is one.
with bounds as (
    select
        *,
        contains(bound, metric || ' > ') or contains(bound, ' < ' || metric) as is_min_exclusive,
        contains(bound, metric || ' < ') as is_max_exclusive,
    from rules
    where metric <> ''
),

measured as (
    select
        bounds.subset,
        bounds.batch,
        bounds.position,
        bounds.rule,
        bounds.bound,
        scores.clip_id,
        true as is_measured,
        coalesce(scores.score < bounds.min or (is_min_exclusive and scores.score = bounds.min), false)
        or coalesce(scores.score > bounds.max or (is_max_exclusive and scores.score = bounds.max), false) as is_outside,
    from bounds
    inner join scores on bounds.metric = scores.metric and bounds.batch = scores.batch
),

missing as (
    select
        bounds.subset,
        bounds.batch,
        bounds.position,
        bounds.rule,
        bounds.bound,
        selection.clip_id,
        false as is_measured,
        true as is_outside,
    from bounds
    inner join selection on bounds.subset = selection.subset and bounds.batch = selection.batch
    anti join scores
        on
            selection.clip_id = scores.clip_id
            and selection.batch = scores.batch
            and bounds.metric = scores.metric
    anti join failures
        on
            selection.clip_id = failures.input_id
            and selection.batch = failures.batch
            and failures.stage = 'score:' || split_part(bounds.metric, '.', 1)
    where bounds.if_missing = 'reject'
),

decided as (
    from measured
    union all
    from missing
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
        count(*) filter (is_measured) as num_measured,
        count(*) filter (is_outside) as num_outside,
        count(*) filter (is_outside and outside.num_outside = 1) as num_outside_only_here,
    from decided
    inner join outside using (subset, batch, clip_id)
    group by all
),

-- batch by batch: the same rule may have had another bound in another batch
rejected as (
    select rules.subset, rules.position, rules.rule, rules.bound, count(*) as num_rejected
    from rules
    inner join selection
        on rules.subset = selection.subset and rules.batch = selection.batch and rules.rule = selection.reason
    where not selection.keep
    group by all
)

select
    counted.*,
    coalesce(rejected.num_rejected, 0) as num_rejected,
from counted
left join rejected using (subset, position, rule, bound)
order by subset, position, bound
