-- every caption beside its clip's state and file: for a search in what was written
select
    clip_states.subset,
    captions.clip_id,
    clip_states.state,
    clip_states.reason,
    captions.captioner,
    samples.clip_id is not null as is_taken,
    captions.camera_motion,
    captions.text,
    clip_states.uri,
    round(clip_states.start_s, 3) as start_s,
from captions
inner join clip_states using (batch, clip_id)
left join samples
    on
        captions.clip_id = samples.clip_id
        and clip_states.subset = samples.subset
        and captions.captioner = samples.captioner
order by clip_states.subset, captions.clip_id, captions.captioner
