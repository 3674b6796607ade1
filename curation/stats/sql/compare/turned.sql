-- clips that one side keeps and the other does not, some of each kind of change
select
    coalesce(a.state, 'not there') as state_a,
    coalesce(b.state, 'not there') as state_b,
    clip_id,
    a.clip_id is not null as is_in_a,
    concat_ws(': ', coalesce(a.state, 'not there'), nullif(a.reason, '')) as words_a,
    concat_ws(': ', coalesce(b.state, 'not there'), nullif(b.reason, '')) as words_b,
from clips_a as a
full join clips_b as b using (clip_id)
where coalesce(a.state in ('accepted', 'pending'), false) <> coalesce(b.state in ('accepted', 'pending'), false)
qualify row_number() over (partition by words_a, words_b order by md5(clip_id)) <= ?
order by words_a, words_b, clip_id
