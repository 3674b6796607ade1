-- what became of what each captioner wrote about a subset's clips: taken into samples, not fit, or another's was taken; an audio caption
-- (six fields) stands beside the video's, and its taken are not counted here
with written as (
    select
        clip_states.subset,
        captions.captioner,
        count(*) as num_written,
        bool_and(starts_with(captions.text, 'This audio has quality: ')) as is_audio,
    from captions
    inner join clip_states using (batch, clip_id)
    where clip_states.state <> 'rejected'
    group by all
),

taken as (
    select subset, captioner, count(*) as num_taken
    from samples
    group by all
),

rejected as (
    select subset, captioner, sum(num_captions)::bigint as num_rejected
    from caption_rejections
    group by all
)

select
    written.*,
    case when not is_audio then coalesce(num_taken, 0) end as num_taken,
    coalesce(num_rejected, 0) as num_rejected,
from written
left join taken using (subset, captioner)
left join rejected on written.subset = rejected.subset and replace(written.captioner, ':', '.') = rejected.captioner
order by subset, captioner
