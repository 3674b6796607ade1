-- the rules of a subset, each once, in the order of its funnel; where batches were filtered by different bounds, each of these
select
    subset,
    row_number() over (partition by subset order by max(position), min(position), rule) - 1 as position,
    rule,
    case count(distinct bound)
        when 1 then min(bound)
        else 'by batch: ' || string_agg(distinct bound, '; ' order by bound)
    end as bound,
    count(distinct bound) as num_bounds,
from rules
group by subset, rule
order by subset, position
