-- what embedded clips, how many of them, into vectors of what width
select
    embedder,
    embedder_version,
    count(distinct clip_id) as num_clips,
    count(*) as num_vectors,
    median(len(vector))::int as width,
    round(count(*) / count(distinct clip_id), 2) as vectors_a_clip,
from embeddings
group by all
order by embedder, embedder_version
