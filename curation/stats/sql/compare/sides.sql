-- the clips of a subset, as one side of a comparison; what filter has not seen is not pending among what it kept
select
    clip_id,
    video_id,
    case when state = 'pending' and not is_selected then 'not filtered' else state end as state,
    case when state = 'rejected' then reason when state = 'failed' then error else '' end as reason,
    duration_s,
from clip_states
where subset = ?
