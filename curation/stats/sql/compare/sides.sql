-- the clips of a subset, as one side of a comparison
select
    clip_id,
    video_id,
    state,
    case when state = 'rejected' then reason when state = 'failed' then error else '' end as reason,
    duration_s,
from clip_states
where subset = ?
