-- every input file in exactly one state a subset: accepted, rejected (reason), failed (reason, error), pending
-- of files with the same bytes, in one batch or in several, the first by batch and uri counts; the others are its duplicates
with of_clips as (
    select
        clip_states.subset,
        clip_states.batch,
        clip_states.video_id,
        count(*) as num_clips,
        count(*) filter (state = 'accepted') as num_accepted,
        count(*) filter (state = 'failed') as num_failed,
        count(*) filter (state = 'pending') as num_pending,
        -- the clip that came furthest speaks for its file
        arg_max(clip_states.reason, rules.position) filter (state = 'rejected') as reason,
        arg_max(clip_states.detail, rules.position) filter (state = 'rejected') as detail,
        min(clip_states.error) as error,
        arg_min(clip_states.reason, clip_states.error) filter (state = 'failed') as failure,
    from clip_states
    left join rules
        on clip_states.subset = rules.subset and clip_states.batch = rules.batch and clip_states.reason = rules.rule
    group by all
),

-- of files with the same bytes in a batch one has the clips: counted at each they would not add up
first_of_batch as (
    select batch, video_id, min(uri) as uri
    from videos
    where status = 'ok'
    group by all
),

was_split as (
    select
        batch,
        video_id,
        count(*) as num_shots,
        max(num_frames - transition_frames) as longest_frames,
    from shots
    group by all
),

joined as (
    select
        subsets.subset,
        videos.batch,
        videos.uri,
        videos.video_id,
        videos.status,
        videos.error as probe_error,
        videos.duration,
        unique_videos.batch <> videos.batch or unique_videos.uri <> videos.uri as is_duplicate,
        'same bytes as ' || unique_videos.uri
        || case when unique_videos.batch <> videos.batch then ' of batch ' || unique_videos.batch else '' end as same_as,
        file_failures.reason as file_failure,
        if(file_failures.stage = 'split', file_failures.error || ': ' || file_failures.message, null) as split_error,
        was_split.video_id is not null as is_split,
        was_split.num_shots,
        was_split.longest_frames * videos.fps_den / videos.fps_num as longest_s,
        of_clips.* exclude (subset, batch, video_id),
    from videos
    cross join subsets
    left join unique_videos on videos.video_id = unique_videos.video_id and videos.status = 'ok'
    left join failure_reasons as file_failures
        on
            videos.batch = file_failures.batch
            and file_failures.stage = case videos.status when 'failed' then 'ingest' else 'split' end
            and file_failures.input_id = case videos.status when 'failed' then videos.uri else videos.video_id end
    left join was_split on videos.video_id = was_split.video_id and videos.batch = was_split.batch
    left join first_of_batch on videos.batch = first_of_batch.batch and videos.uri = first_of_batch.uri
    left join of_clips
        on
            first_of_batch.video_id = of_clips.video_id
            and first_of_batch.batch = of_clips.batch
            and subsets.subset = of_clips.subset
)

select
    subset,
    batch,
    uri,
    video_id,
    case
        when status = 'failed' then 'failed'
        when is_duplicate then 'rejected'
        when split_error is not null then 'failed'
        when num_accepted > 0 then 'accepted'
        when num_failed > 0 then 'failed'
        when num_pending > 0 or not is_split then 'pending'
        else 'rejected'
    end as state,
    case
        when status = 'failed' then file_failure
        when is_duplicate then 'duplicate_file'
        when split_error is not null then file_failure
        when num_accepted is null and is_split then 'no_clip'
        when num_accepted = 0 and num_failed > 0 then coalesce(failure, '')
        when num_accepted = 0 then coalesce(reason, '')
        else ''
    end as reason,
    case
        when status = 'failed' then ''
        when is_duplicate and num_accepted > 0 then same_as || '; its clips stay in the tars until batch ' || batch || ' is run again'
        when is_duplicate then same_as
        when split_error is null and num_accepted is null and is_split then 
            'too short for a clip: the longest of ' || num_shots || if(num_shots = 1, ' shot', ' shots') || ' lasts ' || round(longest_s, 2) || ' s'
            || coalesce(', split.min_clip_s is ' || map_extract_value(getvariable('min_clip_s')::map(varchar, double), batch), '')
        when split_error is null and num_accepted = 0 and num_failed = 0 then coalesce(detail, '')
        else ''
    end as detail,
    case
        when status = 'failed' then replace(probe_error, uri || ': ', '')
        when is_duplicate then null
        else replace(coalesce(split_error, case when num_accepted = 0 then error end), uri || ': ', '')
    end as error,
    coalesce(num_clips, 0) as num_clips,
    coalesce(num_accepted, 0) as num_accepted,
    duration,
from joined
order by subset, batch, uri
