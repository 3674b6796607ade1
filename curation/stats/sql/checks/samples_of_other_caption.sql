-- a sample whose captioner wrote nothing about its clip
select
    samples.subset,
    samples.clip_id,
    samples.captioner,
from samples
anti join captions using (batch, clip_id, captioner)
where samples.captioner <> ''
