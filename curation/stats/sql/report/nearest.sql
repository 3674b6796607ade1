-- clips nearest to a rule's bound, on one side of it
select clip_id, metric || ' = ' || printf('%.3g', score) as words
from borderline_clips
where subset = ? and rule = ? and is_rejected_here = ? and place <= ? and (is_rejected_here or distance < 0.25)
order by place
