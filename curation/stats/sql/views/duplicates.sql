-- each near-duplicate dropped beside the clip that is kept in its place, the nearest first; `matched_id` where another copy leads there
with places as (
    select
        clips.clip_id,
        min(clips.batch) as batch,
        min(unique_videos.uri) as file,
        min(clips.width) as width,
        min(clips.height) as height,
        min(clips.start_pts * clips.tb_num / clips.tb_den) as start_s,
        min(clips.end_pts * clips.tb_num / clips.tb_den) as end_s,
    from clips
    left join unique_videos using (video_id)
    group by clips.clip_id
)

select
    copies.subset,
    copies.batch,
    dropped.file,
    kept.file as kept_file,
    round(copies.similarity, 4) as similarity,
    round(100 * copies.share, 1) as matching_percent,
    copies.is_mirrored,
    dropped.width || 'x' || dropped.height as size,
    kept.width || 'x' || kept.height as kept_size,
    round(dropped.start_s, 3) as start_s,
    round(dropped.end_s, 3) as end_s,
    round(kept.start_s, 3) as kept_start_s,
    round(kept.end_s, 3) as kept_end_s,
    copies.clip_id,
    copies.kept_id,
    nullif(copies.matched_id, copies.kept_id) as matched_id,
    kept.batch as kept_batch,
from copies
left join places as dropped using (clip_id)
left join places as kept on copies.kept_id = kept.clip_id
order by copies.subset, copies.batch, copies.similarity desc, copies.clip_id
