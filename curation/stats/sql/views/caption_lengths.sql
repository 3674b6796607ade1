-- words a caption
select
    captioner,
    count(*) as num_captions,
    count(distinct text) as num_different,
    min(len(string_split_regex(text, '\s+'))) as shortest_words,
    round(avg(len(string_split_regex(text, '\s+'))), 1) as mean_words,
    max(len(string_split_regex(text, '\s+'))) as longest_words,
from captions
group by all
order by captioner
