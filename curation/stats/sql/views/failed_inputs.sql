-- files that failed, each with a short reason and its error
select
    subset,
    batch,
    uri,
    reason,
    error,
from inputs
where state = 'failed'
order by all
