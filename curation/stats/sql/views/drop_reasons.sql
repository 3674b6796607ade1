-- why anything was dropped, files and clips in one list: each once, where it was dropped, with the rule's bound or the error, and an example
-- a file whose clips were all dropped is not among the files: its clips say why. Shares are of all files, or clips, of the subset
with of_files as (
    select
        inputs.subset,
        'file' as level,
        case when videos.status = 'failed' or inputs.reason = 'duplicate_file' then 'ingest' else 'split' end as stage,
        inputs.state,
        inputs.reason,
        case inputs.reason
            when 'duplicate_file' then 'same bytes as another file'
            when 'no_clip' then 'no shot is long enough'
            else string_split(inputs.error, ':')[1]
        end as cause,
        inputs.uri as example,
        coalesce(inputs.error, inputs.detail) as detail,
    from inputs
    inner join videos using (batch, uri)
    where (inputs.state = 'failed' and inputs.num_clips = 0) or inputs.reason in ('duplicate_file', 'no_clip')
),

of_clips as (
    select
        clip_states.subset,
        'clip' as level,
        case clip_states.state when 'rejected' then 'filter' else clip_failures.stage end as stage,
        clip_states.state,
        clip_states.reason,
        case clip_states.state
            when 'rejected' then coalesce(rule_steps.bound, '')
            else regexp_extract(clip_states.error, '^\S+ (\w+):', 1)
        end as cause,
        clip_states.clip_id as example,
        coalesce(clip_states.error, clip_states.detail) as detail,
    from clip_states
    left join rule_steps on clip_states.subset = rule_steps.subset and clip_states.reason = rule_steps.rule
    left join clip_failures on clip_states.subset = clip_failures.subset and clip_states.clip_id = clip_failures.clip_id
    where clip_states.state in ('rejected', 'failed')
),

totals as (
    select subset, 'file' as level, count(*) as num_all from inputs group by all
    union all
    select subset, 'clip' as level, count(*) as num_all from clip_states group by all
),

dropped as (
    select * from of_files
    union all
    select * from of_clips
)

select
    subset,
    level,
    stage,
    state,
    reason,
    cause,
    count(*) as num_dropped,
    round(100.0 * count(*) / any_value(totals.num_all), 2) as share_percent,
    min(example) as example,
    arg_min(detail, example) as detail,
from dropped
inner join totals using (subset, level)
group by all
order by subset, level desc, num_dropped desc, stage, reason, cause
