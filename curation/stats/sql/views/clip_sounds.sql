-- what is heard in each clip, and what it is to the picture, by Table 23 of the paper with its own bounds and a probability of 0.3 (ours)
with measured as (
    select
        batch,
        clip_id,
        max(score) filter (metric in ('sound_tags.speech', 'sound_tags.singing')) as voice,
        max(score) filter (metric = 'sound_tags.music') as music,
        max(score) filter (metric = 'sound_tags.sound') as sound,
        max(score) filter (metric = 'sync.cosine') as cosine,
    from scores
    where detector in ('sound_tags', 'sync')
    group by all
),

heard as (
    select
        *,
        coalesce(voice >= 0.3, false) as has_voice,
        coalesce(music >= 0.3, false) as has_music,
        coalesce(sound >= 0.3, false) as has_sound,
    from measured
)

select
    batch,
    clip_id,
    has_sound,
    has_voice,
    has_music,
    concat_ws('+', if(has_sound, 'sound', null), if(has_voice, 'voice', null), if(has_music, 'music', null)) as kinds,
    cosine,
    case
        when cosine is null then null
        when not has_music and (has_sound or has_voice) and cosine > 0.2 then 'diegetic'
        when has_music and (has_sound or not has_voice) and cosine > 0.3 then 'diegetic'
        when has_music and has_sound and cosine > 0.1 and cosine < 0.25 then 'mixed'
        when has_music and not has_sound and not has_voice and cosine < 0.1 then 'non_diegetic'
    end as bucket,
from heard
