-- a vector that is not of length one, or not as wide as the others of its embedder
with measured as (
    select
        clip_id,
        embedder,
        place,
        len(vector) as width,
        sqrt(list_inner_product(vector, vector)) as length,
        median(len(vector)) over (partition by embedder) as usual_width,
    from embeddings
)

select *
from measured
where width <> usual_width or not coalesce(abs(length - 1) < 1e-3, false)
