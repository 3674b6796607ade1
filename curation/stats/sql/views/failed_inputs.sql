-- files that failed, each with its error
select
    subset,
    batch,
    uri,
    error,
from inputs
where state = 'failed'
order by all
