-- the tars of a bucket
select
    subset,
    bucket,
    count(*) as num_shards,
    min(num_samples) as fewest_samples,
    median(num_samples) as middle_samples,
    max(num_samples) as most_samples,
    round(min(size_bytes) / 1e6, 3) as smallest_megabytes,
    round(max(size_bytes) / 1e6, 3) as largest_megabytes,
from shards
group by all
order by subset, bucket
