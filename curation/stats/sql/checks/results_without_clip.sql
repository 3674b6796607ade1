-- a score, embedding, caption, selection or sample of a clip that is not there
select distinct 'scores' as relation, clip_id from scores anti join clips using (clip_id)
union all
select distinct 'embeddings' as relation, clip_id from embeddings anti join clips using (clip_id)
union all
select distinct 'captions' as relation, clip_id from captions anti join clips using (clip_id)
union all
select distinct 'selection' as relation, clip_id from selection anti join clips using (clip_id)
union all
select distinct 'copies' as relation, clip_id from copies anti join clips using (clip_id)
union all
select distinct 'clip_concepts' as relation, clip_id from clip_concepts anti join clips using (clip_id)
union all
select distinct 'samples' as relation, clip_id from samples anti join clips using (clip_id)
union all
select distinct 'people' as relation, clip_id from people anti join clips using (clip_id)
union all
select distinct 'set_samples' as relation, clip_id from set_samples anti join clips using (clip_id)
