-- files by container, codecs and size, with what became readable
select
    container,
    video_codec,
    audio_codec,
    width || 'x' || height as size,
    round(fps_num / fps_den, 3) as fps,
    status,
    count(*) as num_files,
    round(sum(duration) / 3600, 4) as hours,
    round(sum(size_bytes) / 1e6, 3) as megabytes,
from videos
group by all
order by num_files desc, container, video_codec, audio_codec, size, fps, status
