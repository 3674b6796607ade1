-- a clip that is said to have skipped a rule which its subset does not have
with skips as (
    select subset, batch, clip_id, unnest(string_split(skipped, ',')) as rule
    from selection
    where skipped <> ''
)

select skips.*
from skips
anti join rules using (subset, batch, rule)
