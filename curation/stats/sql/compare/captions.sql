-- samples by captioner on both sides, and the words of their captions
select
    captioner,
    coalesce(a.num_samples, 0) as samples_a,
    coalesce(b.num_samples, 0) as samples_b,
    a.mean_words as words_a,
    b.mean_words as words_b,
from captions_a as a
full join captions_b as b using (captioner)
order by captioner
