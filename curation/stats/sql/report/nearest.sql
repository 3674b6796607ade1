-- clips nearest to a rule's bound, on one side of it; where batches have different bounds, each with its own
select
    borderline_clips.clip_id,
    borderline_clips.metric || ' = ' || printf('%.3g', borderline_clips.score)
    || case when rule_steps.num_bounds > 1 then ' where ' || borderline_clips.bound else '' end as words,
from borderline_clips
inner join rule_steps using (subset, rule)
where subset = ? and rule = ? and is_rejected_here = ? and place <= ? and (is_rejected_here or distance < 0.25)
order by place
