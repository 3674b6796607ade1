-- each metric over the clips that a subset keeps
select
    metric,
    count(*) as num_clips,
    median(score) as middle,
    avg(score) as mean,
    var_pop(score) as variance,
    min(score) as low,
    max(score) as high,
from scores
semi join (
    select clip_id
    from clip_states
    where subset = ? and state in ('accepted', 'pending') and is_selected
) as kept using (clip_id)
group by all
