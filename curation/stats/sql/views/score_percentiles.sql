-- percentiles of each metric over all clips that have it
with measured as (
    select
        detector,
        metric,
        count(*) as num_clips,
        quantile_cont(score, [0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1]) as q,
    from scores
    group by all
)

select
    detector,
    metric,
    num_clips,
    round(q[1], 4) as lowest,
    round(q[2], 4) as p01,
    round(q[3], 4) as p05,
    round(q[4], 4) as p25,
    round(q[5], 4) as p50,
    round(q[6], 4) as p75,
    round(q[7], 4) as p95,
    round(q[8], 4) as p99,
    round(q[9], 4) as highest,
from measured
order by detector, metric
