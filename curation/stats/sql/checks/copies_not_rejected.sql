-- a copy that its subset does not reject as one, a clip rejected as a copy of nothing, a copy of a copy of the same batch
with rejected as (
    select subset, batch, clip_id from selection where reason = 'near_duplicate'
)

select 'not rejected' as problem, subset, batch, clip_id from copies anti join rejected using (subset, batch, clip_id)
union all
select 'of nothing', subset, batch, clip_id from rejected anti join copies using (subset, batch, clip_id)
union all
select 'of a copy', copies.subset, copies.batch, copies.clip_id
from copies
semi join copies as kept
    on copies.kept_id = kept.clip_id and copies.subset = kept.subset and copies.batch = kept.batch
