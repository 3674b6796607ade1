-- a metric that is not named after the detector that measured it; a user's own detector, `module:Class`, names its metrics itself
select distinct
    detector,
    metric,
from scores
where not starts_with(metric, detector || '.') and not contains(detector, ':')
