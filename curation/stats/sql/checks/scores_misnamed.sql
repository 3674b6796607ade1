-- a metric that is not named after the detector that measured it
select distinct
    detector,
    metric,
from scores
where not starts_with(metric, detector || '.')
