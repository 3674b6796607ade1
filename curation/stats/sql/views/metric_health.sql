-- each metric at a glance; a constant or rarely measured one asks for a look
with totals as (
    select count(*) as num_all_clips from clips
)

select
    scores.detector,
    scores.metric,
    count(*) as num_clips,
    round(100.0 * count(*) / nullif(any_value(totals.num_all_clips), 0), 2) as measured_percent,
    round(min(scores.score), 4) as lowest,
    round(median(scores.score), 4) as middle,
    round(max(scores.score), 4) as highest,
    count(*) >= 20 and min(scores.score) = max(scores.score) as is_constant,
from scores
cross join totals
group by all
order by scores.detector, scores.metric
