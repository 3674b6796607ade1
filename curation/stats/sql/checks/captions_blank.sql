-- a caption without a word
select
    clip_id,
    captioner,
from captions
where trim(text) = ''
