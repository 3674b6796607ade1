-- each clip out of bounds with all the rules it breaks (among the scores there are: early rejects lack the dearer ones)
-- A clip that a rule rejects is not shown to costlier detectors, nor asked for near-duplicates: nothing is known of it there.
with outside as (
    select
        subset,
        batch,
        clip_id,
        count(*) as num_rules,
        string_agg(rule, ', ' order by position) as rules,
    from rule_verdicts
    where is_outside
    group by all
)

select
    outside.subset,
    outside.batch,
    outside.clip_id,
    clip_states.uri,
    clip_states.start_s,
    outside.num_rules,
    outside.rules,
    clip_states.reason,
from outside
inner join clip_states using (subset, batch, clip_id)
order by outside.subset, outside.num_rules desc, outside.rules, clip_states.uri, clip_states.start_s
