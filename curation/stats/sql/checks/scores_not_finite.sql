-- a score that is no number
select
    clip_id,
    detector,
    metric,
    score,
from scores
where not isfinite(score)
