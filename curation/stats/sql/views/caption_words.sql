-- how often each word stands in captions, the commonest first; audio captions are not counted
with words as (
    select
        captioner,
        clip_id,
        unnest(regexp_extract_all(lower(text), '[\p{L}\p{N}][\p{L}\p{N}''-]*')) as word,
    from captions
    where not starts_with(text, 'This audio has quality: ')
),

totals as (
    select captioner, count(*) as num_captions
    from captions
    group by all
)

select
    words.captioner,
    words.word,
    count(*) as num_uses,
    count(distinct words.clip_id) as num_captions,
    round(100.0 * count(distinct words.clip_id) / any_value(totals.num_captions), 2) as share_percent,
from words
inner join totals using (captioner)
group by all
order by captioner, num_captions desc, word
