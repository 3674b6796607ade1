-- what each batch brought: files, clips, hours, samples
with files as (
    select
        batch,
        count(*) as num_files,
        count(*) filter (status = 'failed') as num_failed,
        round(sum(duration) / 3600, 4) as source_hours,
    from videos
    group by all
),

cut as (
    select
        batch,
        count(*) as num_clips,
        round(sum((end_pts - start_pts) * tb_num / tb_den) / 3600, 4) as clip_hours,
    from clips
    group by all
),

taken as (
    select batch, count(*) as num_samples
    from samples
    group by all
)

select
    batch,
    files.num_files,
    files.num_failed,
    files.source_hours,
    coalesce(cut.num_clips, 0) as num_clips,
    coalesce(cut.clip_hours, 0) as clip_hours,
    coalesce(taken.num_samples, 0) as num_samples,
from files
left join cut using (batch)
left join taken using (batch)
order by batch
