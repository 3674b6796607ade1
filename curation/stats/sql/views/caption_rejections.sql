-- captions that were not fit, by reason, with an example; they stay in the table captions
with found as (
    select
        clip_states.subset,
        clip_states.clip_id,
        substr(failures.stage, length('caption-rejected:') + 1) as captioner,
        split_part(failures.message, ' ', 1) as reason,
        failures.message,
    from failures
    inner join clip_states on failures.input_id = clip_states.clip_id and failures.batch = clip_states.batch
    where starts_with(failures.stage, 'caption-rejected:')
)

select
    subset,
    captioner,
    reason,
    count(*) as num_captions,
    arg_min(message, clip_id) as example,
from found
group by all
order by subset, captioner, num_captions desc, reason
