-- a shard whose samples are not as many as it says, or samples of a shard that is not committed
with counted as (
    select path, subset, count(*) as num_found from samples group by all
)

select
    coalesce(shards.path, counted.path) as path,
    shards.num_samples,
    counted.num_found,
from shards
full join counted using (path, subset)
where shards.num_samples is distinct from counted.num_found
