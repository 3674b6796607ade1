-- percentiles of each metric over all clips that have it
select
    detector,
    metric,
    count(*) as num_clips,
    round(min(score), 4) as lowest,
    round(quantile_cont(score, 0.01), 4) as p01,
    round(quantile_cont(score, 0.05), 4) as p05,
    round(quantile_cont(score, 0.25), 4) as p25,
    round(quantile_cont(score, 0.5), 4) as p50,
    round(quantile_cont(score, 0.75), 4) as p75,
    round(quantile_cont(score, 0.95), 4) as p95,
    round(quantile_cont(score, 0.99), 4) as p99,
    round(max(score), 4) as highest,
from scores
group by all
order by detector, metric
