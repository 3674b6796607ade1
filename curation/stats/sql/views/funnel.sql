-- what each rule takes away, in the order of the rules; then what the tars hold. A rule is skipped on a clip without its score
with steps as (
    select
        subset,
        -1 as position,
        'clips' as step,
        'what split found' as bound,
    from subsets
    union all
    select distinct on (subset, position)
        subset,
        position,
        rule as step,
        bound,
    from rules
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
        clip_states.clip_id,
        clip_states.duration_s,
        case
            when clip_states.state = 'accepted' then 1001
            when clip_states.state = 'rejected' then coalesce(rules.position, -1)
            else 1000
        end as gone_at,
    from clip_states
    left join rules
        on clip_states.subset = rules.subset and clip_states.batch = rules.batch and clip_states.reason = rules.rule
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
        count(*) filter (gone_at = steps.position) as num_rejected,
        count(*) filter (gone_at > steps.position) as num_left,
        coalesce(sum(duration_s) filter (gone_at > steps.position), 0) / 3600 as hours_left,
    from steps
    left join clip_positions using (subset)
    group by all
)

select
    subset,
    position,
    step,
    bound,
    num_rejected,
    coalesce(skips.num_skipped, 0) as num_skipped,
    num_left,
    round(hours_left, 4) as hours_left,
    round(100.0 * num_left / nullif(max(num_left) over (partition by subset), 0), 2) as left_percent,
from counted
left join skips using (subset, step)
order by subset, position
