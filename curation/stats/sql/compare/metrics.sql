-- scores of the clips that each side keeps; `shift` is the difference of the medians in standard deviations of both
select
    metric,
    a.num_clips as clips_a,
    b.num_clips as clips_b,
    round(a.middle, 4) as median_a,
    round(b.middle, 4) as median_b,
    round(a.mean, 4) as mean_a,
    round(b.mean, 4) as mean_b,
    round((b.middle - a.middle) / nullif(sqrt((a.variance + b.variance) / 2), 0), 3) as shift,
from metrics_a as a
full join metrics_b as b using (metric)
order by abs(coalesce(shift, 0)) desc, metric
