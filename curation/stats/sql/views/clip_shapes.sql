-- clips by size, frame rate and whole seconds, with how many a subset keeps
select
    clip_states.subset,
    clips.width,
    clips.height,
    round(clips.width / clips.height, 3) as aspect,
    round(clips.fps_num / clips.fps_den, 3) as fps,
    floor(clip_states.duration_s)::int as from_s,
    count(*) as num_clips,
    count(*) filter (clip_states.state in ('accepted', 'pending')) as num_kept,
    round(sum(clip_states.duration_s) / 3600, 4) as hours,
from clips
inner join clip_states using (batch, clip_id)
group by all
order by subset, num_clips desc, width, height, fps, from_s
