-- captions as they went into samples, and what is heard beside them
with heard as (
    select batch, clip_id, min(text) as text
    from captions
    where text like $2
    group by all
)

select
    samples.clip_id,
    left(samples.caption, $3) as caption,
    samples.captioner,
    heard.text as heard,
from samples
left join heard using (batch, clip_id)
where samples.subset = $1
order by md5(samples.clip_id)
limit $4
