-- one row a sample of a subset, in the order of its tars; no name of a file on this machine
with measured as (
    select clip_id, map_from_entries(list((metric, score) order by metric)) as scores
    from scores
    group by clip_id
)

select
    samples.clip_id as key,
    replace(samples.path, 'shards/', '') as shard,
    shards.bucket,
    samples.caption,
    samples.captioner,
    samples.width,
    samples.height,
    samples.num_frames,
    samples.has_audio,
    clips.video_id,
    round(clips.start_pts * clips.tb_num / clips.tb_den, 6) as source_start_s,
    round((clips.end_pts - clips.start_pts) * clips.tb_num / clips.tb_den, 6) as source_duration_s,
    measured.scores,
from samples
inner join shards using (path, subset)
left join clips on samples.clip_id = clips.clip_id and samples.batch = clips.batch
left join measured on samples.clip_id = measured.clip_id
where samples.subset = ?
order by samples.path, samples.clip_id
