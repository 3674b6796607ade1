-- the funnel of a subset beside the paper's
select funnel.* exclude (subset), paper_funnel.threshold as paper_threshold, paper_funnel.left_percent as paper_percent
from funnel
left join paper_funnel on funnel.step = paper_funnel.step
where subset = ?
order by funnel.position
