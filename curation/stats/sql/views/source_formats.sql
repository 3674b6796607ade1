-- files by container, codecs and size, with what could be read: `failed_in` is ingest, split, or empty
select
    videos.container,
    videos.video_codec,
    videos.audio_codec,
    videos.width || 'x' || videos.height as size,
    round(videos.fps_num / videos.fps_den, 3) as fps,
    case when failure_reasons.stage is null then 'ok' else 'failed' end as status,
    coalesce(failure_reasons.stage, '') as failed_in,
    coalesce(failure_reasons.reason, '') as reason,
    count(*) as num_files,
    round(sum(videos.duration) / 3600, 4) as hours,
    round(sum(videos.size_bytes) / 1e6, 3) as megabytes,
from videos
left join failure_reasons
    on
        videos.batch = failure_reasons.batch
        and failure_reasons.stage = case videos.status when 'failed' then 'ingest' else 'split' end
        and failure_reasons.input_id = case videos.status when 'failed' then videos.uri else videos.video_id end
group by all
order by num_files desc, videos.container, videos.video_codec, videos.audio_codec, size, fps, failed_in, reason
