-- readable files, one a video: of files with the same bytes the first by batch and uri counts
select *
from videos
where status = 'ok'
qualify row_number() over (partition by video_id order by batch, uri) = 1
