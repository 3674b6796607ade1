-- how full each bucket is
with counted as (
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
    *,
    round(100.0 * num_samples / sum(num_samples) over (partition by subset), 2) as share_percent,
from counted
order by subset, num_samples desc, bucket
