-- each concept's clips, what resampling left of them and what it should; the human-centred ones are one row without a concept.
-- `share_by_root_n`, the share left times sqrt(n), is the same for all concepts that lose clips: that is 1/sqrt(n)
with counted as (
    select
        clip_concepts.subset,
        clip_concepts.batch,
        case when not clip_concepts.is_human then clip_concepts.concept end as concept,
        any_value(clip_concepts.num_alike) as num_clips,
        any_value(clip_concepts.share) as wanted_share,
        count(*) filter (selection.keep or selection.reason = 'aspect') as num_resampled,
        count(*) filter (selection.reason = 'aspect') as num_lost_to_aspect,
        count(*) filter (selection.keep) as num_kept,
    from clip_concepts
    inner join selection using (subset, batch, clip_id)
    group by all
)

select
    subset,
    batch,
    concept,
    num_clips,
    num_resampled,
    round(100.0 * num_resampled / num_clips, 2) as resampled_percent,
    round(100.0 * wanted_share, 2) as wanted_percent,
    round(num_resampled / sqrt(num_clips), 3) as share_by_root_n,
    num_lost_to_aspect,
    num_kept,
from counted
order by subset, batch, num_clips desc, concept
