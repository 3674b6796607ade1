-- one row a clip and subset: its file, span, fate, caption and every score
with measured as (
    select clip_id, map_from_entries(list((metric, score) order by metric)) as scores
    from scores
    group by clip_id
),

said as (
    select captions.clip_id, min_by(captions.text, captions.captioner) as caption
    from captions
    anti join failures
        on
            captions.clip_id = failures.input_id
            and captions.batch = failures.batch
            and failures.stage = 'caption-rejected:' || replace(captions.captioner, ':', '.')
    where not starts_with(captions.text, 'This audio has quality: ')
    group by captions.clip_id
)

select
    clip_states.subset,
    clips.batch,
    clips.clip_id,
    clips.video_id,
    clip_states.uri,
    clips.start_frame,
    clips.num_frames,
    clip_states.start_s,
    clip_states.start_s + clip_states.duration_s as end_s,
    clips.width,
    clips.height,
    clips.fps_num / clips.fps_den as fps,
    clip_states.state,
    clip_states.reason,
    clip_states.detail,
    coalesce(nullif(samples.caption, ''), said.caption) as caption,
    samples.path as shard,
    measured.scores,
from clips
inner join clip_states using (batch, clip_id)
left join samples on clips.clip_id = samples.clip_id and clip_states.subset = samples.subset
left join measured on clips.clip_id = measured.clip_id
left join said on clips.clip_id = said.clip_id
order by clip_states.subset, clips.video_id, clips.start_frame
