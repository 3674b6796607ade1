-- a key that occurs twice
select 'videos' as relation, uri as key, count(*) as num_rows from videos group by batch, uri having count(*) > 1
union all
select 'shots', video_id || ' ' || shot, count(*) from shots group by video_id, shot having count(*) > 1
union all
select 'signals', video_id || ' ' || chunk, count(*) from signals group by video_id, chunk having count(*) > 1
union all
select 'clips', clip_id, count(*) from clips group by clip_id having count(*) > 1
union all
select 'scores', clip_id || ' ' || metric, count(*)
from scores
-- grouped by a number first: twenty million keys of three texts would take 4 GB
where
    hash(clip_id, detector, metric) in (
        select hash(clip_id, detector, metric) as key_hash
        from scores
        group by key_hash
        having count(*) > 1
    )
group by clip_id, detector, metric
having count(*) > 1
union all
select 'embeddings', clip_id || ' ' || embedder || ' ' || place, count(*)
from embeddings
group by clip_id, embedder, place
having count(*) > 1
union all
select 'selection', subset || ' ' || clip_id, count(*) from selection group by subset, clip_id having count(*) > 1
union all
select 'copies', subset || ' ' || clip_id, count(*) from copies group by subset, clip_id having count(*) > 1
union all
select 'clip_concepts', subset || ' ' || clip_id, count(*) from clip_concepts group by subset, clip_id having count(*) > 1
union all
select 'captions', clip_id || ' ' || captioner, count(*) from captions group by clip_id, captioner having count(*) > 1
union all
select 'shards', path, count(*) from shards group by path having count(*) > 1
union all
select 'samples', subset || ' ' || clip_id, count(*) from samples group by subset, clip_id having count(*) > 1
union all
select 'people', clip_id, count(*) from people group by clip_id having count(*) > 1
union all
select 'set_shards', path, count(*) from set_shards group by path having count(*) > 1
union all
select 'set_samples', kind || ' ' || subset || ' ' || key, count(*) from set_samples group by kind, subset, key having count(*) > 1
union all
select 'failures', stage || ' ' || input_id, count(*) from failures group by stage, input_id having count(*) > 1
