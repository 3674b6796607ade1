-- files by state and reason: the numbers of each subset add up to its files
select
    subset,
    batch,
    state,
    reason,
    count(*) as num_files,
from inputs
group by all
order by subset, batch, state, num_files desc, reason
