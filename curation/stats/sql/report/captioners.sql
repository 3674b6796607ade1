-- what each captioner wrote and what became of it
select caption_fates.* exclude (subset), caption_lengths.* exclude (captioner, num_captions)
from caption_fates
inner join caption_lengths using (captioner)
where subset = ?
order by is_audio, num_taken desc, captioner
