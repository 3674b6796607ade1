-- what each rule takes away, in the order of the rules; then what the tars hold. A rule is skipped on a clip without its score.
-- `position` counts the steps from 0, the clips that split found;
-- a clip that a job has not come to is pending, where it waits: at the first rule, or before the tars; it is not rejected
with steps as (
    select
        subset,
        -1 as position,
        'clips' as step,
        'what split found' as bound,
    from subsets
    union all
    select
        subset,
        position,
        rule as step,
        bound,
    from rule_steps
    union all
    select
        subset,
        1000 as position,
        'in shards' as step,
        'captioned, encoded, committed' as bound,
    from subsets
),

clip_positions as (
    select
        clip_states.subset,
        clip_states.state,
        case
            when clip_states.state = 'accepted' then 1001
            when clip_states.state = 'rejected' then coalesce(rule_steps.position, -1)
            when clip_states.state = 'pending' and not clip_states.is_selected and ruled.subset is not null then 0
            else 1000
        end as gone_at,
        count(*) as num_clips,
        sum(clip_states.duration_s) as duration_s,
    from clip_states
    left join rule_steps on clip_states.subset = rule_steps.subset and clip_states.reason = rule_steps.rule
    left join (select distinct subset from rule_steps) as ruled on clip_states.subset = ruled.subset
    group by all
),

skipped_rules as (
    select subset, unnest(string_split(skipped, ',')) as step
    from selection
    where skipped <> ''
),

skips as (
    select subset, step, count(*) as num_skipped
    from skipped_rules
    group by all
),

counted as (
    select
        steps.subset,
        steps.position,
        steps.step,
        steps.bound,
        coalesce(sum(num_clips) filter (gone_at = steps.position and state = 'rejected'), 0)::bigint as num_rejected,
        coalesce(sum(num_clips) filter (gone_at = steps.position and state = 'failed'), 0)::bigint as num_failed,
        coalesce(sum(num_clips) filter (gone_at = steps.position and state = 'pending'), 0)::bigint as num_pending,
        coalesce(sum(num_clips) filter (gone_at > steps.position), 0)::bigint as num_left,
        coalesce(sum(duration_s) filter (gone_at > steps.position), 0) / 3600 as hours_left,
    from steps
    left join clip_positions using (subset)
    group by all
)

select
    subset,
    row_number() over (partition by subset order by position) - 1 as position,
    step,
    bound,
    num_rejected,
    num_failed,
    num_pending,
    coalesce(skips.num_skipped, 0) as num_skipped,
    num_left,
    round(hours_left, 4) as hours_left,
    round(100.0 * num_left / nullif(max(num_left) over (partition by subset), 0), 2) as left_percent,
from counted
left join skips using (subset, step)
order by subset, counted.position
