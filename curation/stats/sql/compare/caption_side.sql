-- what went into a subset's samples, by who wrote it
select
    captioner,
    count(*) as num_samples,
    round(avg(len(string_split_regex(caption, '\s+'))), 1) as mean_words,
from samples
where subset = ?
group by all
