-- what could not be measured, and why
select
    run,
    metric,
    status,
    reason,
    count(*) as num_items,
    min(item) as an_item,
from eval_scores
where status <> 'ok'
group by all
order by run, metric, num_items desc, reason
