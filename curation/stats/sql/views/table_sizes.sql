-- rows of each table
select
    'videos' as table_name,
    count(*) as num_rows,
from videos
union all
select
    'shots' as table_name,
    count(*) as num_rows,
from shots
union all
select
    'signals' as table_name,
    count(*) as num_rows,
from signals
union all
select
    'clips' as table_name,
    count(*) as num_rows,
from clips
union all
select
    'scores' as table_name,
    count(*) as num_rows,
from scores
union all
select
    'embeddings' as table_name,
    count(*) as num_rows,
from embeddings
union all
select
    'selection' as table_name,
    count(*) as num_rows,
from selection
union all
select
    'rules' as table_name,
    count(*) as num_rows,
from rules
union all
select
    'captions' as table_name,
    count(*) as num_rows,
from captions
union all
select
    'shards' as table_name,
    count(*) as num_rows,
from shards
union all
select
    'samples' as table_name,
    count(*) as num_rows,
from samples
union all
select
    'people' as table_name,
    count(*) as num_rows,
from people
union all
select
    'set_shards' as table_name,
    count(*) as num_rows,
from set_shards
union all
select
    'set_samples' as table_name,
    count(*) as num_rows,
from set_samples
union all
select
    'failures' as table_name,
    count(*) as num_rows,
from failures
union all
select
    'chunks' as table_name,
    count(*) as num_rows,
from chunks
union all
select
    'copies' as table_name,
    count(*) as num_rows,
from copies
union all
select
    'clip_concepts' as table_name,
    count(*) as num_rows,
from clip_concepts
