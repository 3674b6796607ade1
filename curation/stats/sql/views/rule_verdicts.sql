-- every clip a rule was put to: has it the rule's score, and is it out of the rule's bound
-- Whether a bound is allowed itself stands in its words alone; a clip without the score is out of bounds of a rule that rejects
-- what is missing, unless its detector failed, or was not asked: another rule has the clip, and no score is of that detector.
-- In the funnel it goes to a rule that a score breaks, if there is one.
with bounds as (
    select
        *,
        contains(bound, metric || ' > ') or contains(bound, ' < ' || metric) as is_min_exclusive,
        contains(bound, metric || ' < ') as is_max_exclusive,
    from rules
    where metric <> ''
),

measured as (
    select
        bounds.subset,
        bounds.batch,
        bounds.position,
        bounds.rule,
        bounds.bound,
        scores.clip_id,
        true as is_measured,
        coalesce(scores.score < bounds.min or (is_min_exclusive and scores.score = bounds.min), false)
        or coalesce(scores.score > bounds.max or (is_max_exclusive and scores.score = bounds.max), false) as is_outside,
    from bounds
    inner join scores on bounds.metric = scores.metric and bounds.batch = scores.batch
),

missing as (
    select
        bounds.subset,
        bounds.batch,
        bounds.position,
        bounds.rule,
        bounds.bound,
        selection.clip_id,
        false as is_measured,
        true as is_outside,
    from bounds
    inner join selection on bounds.subset = selection.subset and bounds.batch = selection.batch
    anti join scores
        on
            selection.clip_id = scores.clip_id
            and selection.batch = scores.batch
            and bounds.metric = scores.metric
    anti join failures
        on
            selection.clip_id = failures.input_id
            and selection.batch = failures.batch
            and failures.stage = 'score:' || split_part(bounds.metric, '.', 1)
    where
        bounds.if_missing = 'reject'
        and (
            selection.reason = bounds.rule
            or exists (
                from scores
                where
                    scores.clip_id = selection.clip_id
                    and scores.batch = selection.batch
                    and starts_with(scores.metric, split_part(bounds.metric, '.', 1) || '.')
            )
        )
)

select * from measured
union all
select * from missing
