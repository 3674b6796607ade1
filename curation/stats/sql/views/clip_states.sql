-- every clip in exactly one state a subset: accepted (in a shard), rejected (reason), failed (reason, error), pending (a job has not run)
-- a failure's reason is short, `error` has all of it; where there is nothing to say, reason and detail are '' and error is null
with states as (
    select
        subsets.subset,
        clips.batch,
        clips.clip_id,
        clips.video_id,
        clips.start_pts * clips.tb_num / clips.tb_den as start_s,
        (clips.end_pts - clips.start_pts) * clips.tb_num / clips.tb_den as duration_s,
        case
            when not selection.keep then 'rejected'
            when samples.clip_id is not null then 'accepted'
            when clip_failures.clip_id is not null then 'failed'
            else 'pending'
        end as state,
        selection.keep is not null as is_selected,
        selection.reason,
        selection.detail,
        clip_failures.reason as failure,
        clip_failures.error,
    from clips
    cross join subsets
    left join selection using (subset, clip_id, batch)
    left join samples using (subset, clip_id, batch)
    left join clip_failures using (subset, clip_id)
),

files as (
    select batch, video_id, min(uri) as uri
    from videos
    where status = 'ok'
    group by all
)

select
    subset,
    batch,
    clip_id,
    video_id,
    uri,
    start_s,
    duration_s,
    state,
    is_selected,
    case state when 'rejected' then reason when 'failed' then failure else '' end as reason,
    case when state = 'rejected' then detail else '' end as detail,
    case when state = 'failed' then error end as error,
from states
left join files using (batch, video_id)
