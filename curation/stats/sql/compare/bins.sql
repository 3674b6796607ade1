-- twenty bins a metric between given ends, of the clips that a subset keeps
with ranges as (
    select
        unnest($2::varchar[]) as metric,
        unnest($3::double[]) as low,
        unnest($4::double[]) as width,
)

select
    metric,
    least(19, greatest(0, floor((scores.score - ranges.low) / ranges.width)))::int as bin,
    count(*) as num_clips,
from scores
inner join ranges using (metric)
semi join (
    select clip_id
    from clip_states
    where subset = $1 and state in ('accepted', 'pending') and is_selected
) as kept using (clip_id)
group by all
order by metric, bin
