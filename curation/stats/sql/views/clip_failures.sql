-- the first failure of each clip and subset; a detector's failure counts for every subset
with failures_of_clips as (
    select
        input_id as clip_id,
        stage,
        reason,
        error || ': ' || message as error,
        case when starts_with(stage, 'shard:') then stage[7:] end as subset,
    from failure_reasons
    where stage not in ('ingest', 'split')
)

select
    clip_id,
    coalesce(failures_of_clips.subset, subsets.subset) as subset,
    min(stage) as stage,
    arg_min(reason, stage) as reason,
    arg_min(stage || ' ' || error, stage) as error,
from failures_of_clips
inner join subsets on failures_of_clips.subset is null or failures_of_clips.subset = subsets.subset
group by all
