-- a rejected clip without a reason, a kept one with a reason, a reason that is no rule
select
    selection.subset,
    selection.clip_id,
    selection.keep,
    selection.reason,
from selection
left join rules
    on selection.subset = rules.subset and selection.batch = rules.batch and selection.reason = rules.rule
where selection.keep <> (selection.reason = '') or (not selection.keep and rules.rule is null)
