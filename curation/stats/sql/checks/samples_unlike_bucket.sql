-- a sample that has another number of frames than its bucket says
select
    samples.subset,
    samples.clip_id,
    samples.num_frames,
    shards.bucket,
from samples
inner join shards using (path, subset)
where samples.num_frames::varchar <> split_part(shards.bucket, '-f', 2)
