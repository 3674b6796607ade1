-- a sample of a clip that its subset does not keep
select
    samples.subset,
    samples.clip_id,
    samples.path,
from samples
left join selection using (subset, clip_id)
where selection.keep is distinct from true
