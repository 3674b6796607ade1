-- a clip, shot or signal whose video is not a readable one of its batch
select distinct 'clips' as relation, batch, video_id from clips anti join unique_videos using (batch, video_id)
union all
select distinct 'shots' as relation, batch, video_id from shots anti join unique_videos using (batch, video_id)
union all
select distinct 'signals' as relation, batch, video_id from signals anti join unique_videos using (batch, video_id)
