-- the bounds on scores by which a subset's batches were filtered, each once
select distinct rule_steps.position, rules.rule, rules.metric, rules.min, rules.max, rules.bound
from rules
inner join rule_steps using (subset, rule)
where subset = ? and rules.metric <> ''
order by rule_steps.position, rules.bound
