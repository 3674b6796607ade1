-- samples by aspect and number of frames, as a map: one row a bucket
with lengths as (
    select
        samples.subset,
        shards.bucket,
        count(*) as num_samples,
        count(distinct clips.video_id) as num_videos,
        sum((clips.end_pts - clips.start_pts) * clips.tb_num / clips.tb_den) / 3600 as hours,
        count(*) filter (samples.has_audio) as num_with_sound,
    from samples
    inner join shards using (path, subset)
    left join clips on samples.clip_id = clips.clip_id and samples.batch = clips.batch
    group by all
)

select
    subset,
    bucket,
    split_part(bucket, '-f', 1) as aspect,
    split_part(split_part(bucket, '-f', 1), 'x', 1)::double
    / split_part(split_part(bucket, '-f', 1), 'x', 2)::double as aspect_ratio,
    split_part(bucket, '-f', 2)::int as num_frames,
    num_samples,
    num_videos,
    num_with_sound,
    round(hours, 4) as hours,
    round(100.0 * num_samples / sum(num_samples) over (partition by subset), 2) as share_percent,
from lengths
order by subset, aspect_ratio desc, num_frames
