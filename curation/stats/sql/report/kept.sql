-- some of the clips that are kept, with their captions
select clip_states.clip_id, coalesce(samples.caption, 'not in a shard yet') as words
from clip_states
left join samples using (batch, subset, clip_id)
where subset = ? and state in ('accepted', 'pending')
order by md5(clip_states.clip_id)
limit ?
