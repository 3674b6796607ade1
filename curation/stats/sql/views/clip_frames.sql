-- timestamps of three frames of each clip, at a sixth, a half and five sixths of its frames
with places as (
    select
        clips.clip_id,
        clips.video_id,
        clips.batch,
        clips.start_frame + (clips.num_frames * part / 6)::bigint as frame,
        part,
    from clips
    cross join (values (1), (3), (5)) as parts (part)
)

select
    places.clip_id,
    unique_videos.uri,
    list(signals.pts[places.frame - signals.start_frame + 1] order by places.part) as pts,
from places
inner join unique_videos using (video_id, batch)
inner join signals
    on
        places.video_id = signals.video_id
        and places.batch = signals.batch
        and places.frame >= signals.start_frame
        and places.frame < signals.start_frame + signals.num_frames
group by all
