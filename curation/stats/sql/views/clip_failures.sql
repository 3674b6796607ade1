-- the first failure of each clip and subset; a detector's failure counts for every subset
with failures_of_clips as (
    select
        failures.input_id as clip_id,
        failures.stage,
        failures.error || ': ' || failures.message as error,
        case when starts_with(failures.stage, 'shard:') then failures.stage[7:] end as subset,
    from failures
    where failures.stage <> 'split'
)

select
    clip_id,
    coalesce(failures_of_clips.subset, subsets.subset) as subset,
    arg_min(stage || ' ' || error, stage) as error,
from failures_of_clips
inner join subsets on failures_of_clips.subset is null or failures_of_clips.subset = subsets.subset
group by all
