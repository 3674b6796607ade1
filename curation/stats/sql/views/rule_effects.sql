-- clips out of each rule's bound, and out of its alone (among the scores there are: early rejects lack the dearer ones)
-- A clip that a rule rejects is not shown to costlier detectors, nor asked for near-duplicates: nothing is known of it there.
-- `num_outside_only_here` is alone, `num_rejected` what the rule did in its place of the funnel.
with outside as (
    select subset, batch, clip_id, count(*) filter (is_outside) as num_outside
    from rule_verdicts
    group by all
),

counted as (
    select
        rule_verdicts.subset,
        rule_verdicts.position,
        rule_verdicts.rule,
        rule_verdicts.bound,
        count(*) filter (is_measured) as num_measured,
        count(*) filter (is_outside) as num_outside,
        count(*) filter (is_outside and outside.num_outside = 1) as num_outside_only_here,
    from rule_verdicts
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
