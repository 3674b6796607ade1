-- a caption without a word, or a sample without a caption
select
    'caption' as relation,
    clip_id,
    captioner,
from captions
where trim(text) = ''
union all
select
    'sample' as relation,
    clip_id,
    captioner,
from samples
where trim(caption) = '' and captioner <> ''
