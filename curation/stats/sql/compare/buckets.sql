-- samples of each bucket on both sides
select
    bucket,
    coalesce(a.num_samples, 0) as samples_a,
    coalesce(b.num_samples, 0) as samples_b,
    coalesce(b.num_samples, 0) - coalesce(a.num_samples, 0) as difference,
from buckets_a as a
full join buckets_b as b using (bucket)
order by bucket
