-- what failed where, with an example
with every_failure as (
    select 'ingest' as stage, string_split(error, ':')[1] as error, error as message, uri as example from videos where status = 'failed'
    union all
    select stage, error, message, input_id from failures
)

select
    stage,
    error,
    count(*) as num_inputs,
    min(example) as example,
    arg_min(message, example) as message,
from every_failure
group by all
order by stage, num_inputs desc, error
