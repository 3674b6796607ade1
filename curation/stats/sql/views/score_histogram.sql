-- twenty equal bins a metric, from its lowest to its highest score
with ranges as (
    select
        detector,
        metric,
        min(score) as low,
        max(score) as high,
        greatest(max(score) - min(score), 1e-9) / 20 as width,
    from scores
    group by all
)

select
    scores.detector,
    scores.metric,
    least(19, floor((scores.score - ranges.low) / ranges.width))::int as bin,
    round(ranges.low + bin * ranges.width, 6) as bin_from,
    round(ranges.low + (bin + 1) * ranges.width, 6) as bin_to,
    count(*) as num_clips,
from scores
inner join ranges using (detector, metric)
group by all
order by scores.detector, scores.metric, bin
