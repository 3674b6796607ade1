-- both funnels step by step; a step that only one side has is empty on the other
select
    coalesce(a.step, b.step) as step,
    a.bound as bound_a,
    b.bound as bound_b,
    a.num_left as left_a,
    b.num_left as left_b,
    a.left_percent as percent_a,
    b.left_percent as percent_b,
    round(b.left_percent - a.left_percent, 2) as difference,
from funnel_a as a
full join funnel_b as b using (step)
order by coalesce(a.position, b.position - 0.5), b.position
