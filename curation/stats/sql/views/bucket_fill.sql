-- how full each bucket is
with lengths as (
    select
        shards.subset,
        shards.bucket,
        sum(clip_states.duration_s) / 3600 as hours,
    from shards
    inner join samples on shards.path = samples.path
    inner join clip_states on samples.clip_id = clip_states.clip_id and samples.subset = clip_states.subset
    group by all
),

counted as (
    select
        subset,
        bucket,
        count(*) as num_shards,
        sum(num_samples)::bigint as num_samples,
        round(sum(size_bytes) / 1e6, 3) as megabytes,
    from shards
    group by all
)

select
    counted.*,
    round(lengths.hours, 4) as hours,
    round(100.0 * num_samples / sum(num_samples) over (partition by counted.subset), 2) as share_percent,
from counted
left join lengths using (subset, bucket)
order by subset, num_samples desc, bucket
