-- means by the prompts' tags; an item of several tags counts for each
with

tagged as (
    select run, metric, value, unnest(list_distinct(list_transform(string_split(tags, ','), lambda t: trim(t)))) as tag
    from eval_scores
    where status = 'ok' and tags is not null
)

select
    run,
    tag,
    metric,
    count(*) as n,
    avg(value) as mean,
    stddev_samp(value) / sqrt(count(*)) as standard_error,
from tagged
where tag <> ''
group by all
order by run, tag, metric
