-- every failure of a file, clip or caption, with a short reason by which failures can be counted: no names, no numbers
-- the reason is the first clause of the message, without the file's name, with N for numbers and … for paths
with told as (
    select
        batch,
        'ingest' as stage,
        uri as input_id,
        string_split(error, ':')[1] as error,
        error as message,
        regexp_replace(replace(error, uri || ': ', ''), '^\w+: ', '') as words,
    from videos
    where status = 'failed'
    union all
    select
        batch,
        stage,
        input_id,
        error,
        message,
        regexp_replace(regexp_replace(message, '^(/|\w+://).*?\.\w{2,5}: ', ''), '^(/|\w+://).*?: ', '') as words,
    from failures
),

clauses as (
    select
        *,
        regexp_replace(words, '^(\w+Error: |cannot be opened: |its content is none of the formats read here: )*(it is )?(an? )?', '') as clause,
    from told
)

select
    batch,
    stage,
    input_id,
    error,
    regexp_replace(
        regexp_replace(
            regexp_replace(regexp_extract(clause, '^(.*?)(: |; |, |$)', 1), '(\w+:/)?/\S+', '…', 'g'), '(^|[^A-Za-z0-9])\d+(\.\d+)?', '\1N', 'g'
        ),
        'Nx\d+', 'NxN', 'g'
    )[:80] as reason,
    message,
from clauses
order by batch, stage, input_id
