-- clips that two subsets keep, and those that only one keeps
with kept as (
    select subset, clip_id
    from selection
    where keep
),

pairs as (
    select a.subset as subset, b.subset as other
    from subsets as a
    inner join subsets as b on a.subset < b.subset
)

select
    pairs.subset,
    pairs.other,
    count(*) filter (a.clip_id is not null and b.clip_id is not null) as num_both,
    count(*) filter (b.clip_id is null) as num_only_subset,
    count(*) filter (a.clip_id is null) as num_only_other,
from pairs
cross join (select distinct clip_id from kept) as clips
left join kept as a on pairs.subset = a.subset and clips.clip_id = a.clip_id
left join kept as b on pairs.other = b.subset and clips.clip_id = b.clip_id
where a.clip_id is not null or b.clip_id is not null
group by all
order by pairs.subset, pairs.other
