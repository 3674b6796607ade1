-- a file that is not in exactly one state of each subset
select
    subsets.subset,
    videos.batch,
    videos.uri,
    count(inputs.state) as num_states,
from videos
cross join subsets
left join inputs using (subset, batch, uri)
group by all
having count(inputs.state) <> 1
