-- what failed where and why, with an example
select
    stage,
    error,
    reason,
    count(*) as num_inputs,
    min(input_id) as example,
    arg_min(message, input_id) as message,
from failure_reasons
group by all
order by stage, num_inputs desc, error, reason
