-- the commonest words of the captions that went into samples, without those that say nothing
with chosen as (
    -- of very many some, the same ones each time
    select clip_id, caption
    from samples
    where subset = ?
    order by md5(clip_id)
    limit 20000
),

words as (
    select
        clip_id,
        unnest(list_distinct(regexp_extract_all(lower(caption), '[\p{L}\p{N}][\p{L}\p{N}''-]*'))) as word,
    from chosen
)

select word, count(*) as num_captions
from words
where word not in ('a', 'an', 'and', 'at', 'by', 'for', 'from', 'in', 'is', 'it', 'its', 'of', 'on', 'the', 'then', 'to', 'with')
group by all
order by num_captions desc, word
limit ?
