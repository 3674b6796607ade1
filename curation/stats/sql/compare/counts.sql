-- clips, hours and videos of both sides by state
with both_sides as (
    select 'a' as side, * from clips_a
    union all
    select 'b' as side, * from clips_b
),

counted as (
    select
        side,
        state,
        count(*) as num_clips,
        sum(duration_s) / 3600 as hours,
        count(distinct video_id) as num_videos,
    from both_sides
    group by all
),

a as (select * from counted where side = 'a'),

b as (select * from counted where side = 'b')

select
    state,
    coalesce(a.num_clips, 0) as clips_a,
    coalesce(b.num_clips, 0) as clips_b,
    coalesce(b.num_clips, 0) - coalesce(a.num_clips, 0) as difference,
    round(coalesce(a.hours, 0), 4) as hours_a,
    round(coalesce(b.hours, 0), 4) as hours_b,
    coalesce(a.num_videos, 0) as videos_a,
    coalesce(b.num_videos, 0) as videos_b,
from a
full join b using (state)
order by state
