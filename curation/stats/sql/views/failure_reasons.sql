-- every failure of a file, clip or caption, with a short reason by which failures can be counted: no names, no numbers
-- the reason is the first clause of the message, without the file's name, with … for paths; what numbers say there is said in words, and
-- where a message is of no kind known here, with N for them
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
),

numberless as (
    select
        *,
        regexp_replace(
            regexp_replace(
                regexp_replace(regexp_extract(clause, '^(.*?)(: |; |, |$)', 1), '(\w+:/)?/\S+', '…', 'g'),
                '(^|[^A-Za-z0-9])\d+(\.\d+)?(e[+-]?\d+)?',
                '\1N',
                'g'
            ),
            'Nx\d+', 'NxN', 'g'
        ) as short,
    from clauses
)

select
    batch,
    stage,
    input_id,
    error,
    case
        when starts_with(short, 'is damaged near ') then 'is damaged'
        when starts_with(short, 'took longer than N s') then 'took too long'
        when starts_with(short, 'lasts N s') then 'lasts too long'
        when starts_with(short, 'NxN is over the limit of ') then 'has too many pixels'
        when starts_with(short, 'NxN is longer than ') then 'is too long and narrow'
        when starts_with(short, 'frame size is NxN') then 'has no frame size'
        when starts_with(short, 'more than N frames') then 'has too many frames'
        when starts_with(short, 'N frames per second') then 'has too many frames a second'
        when short = 'N streams' then 'has too many streams'
        when regexp_full_match(short, '(more than )?N bytes') then 'has too many bytes'
        when starts_with(short, 'cannot seek to timestamp ') then 'cannot seek'
        when starts_with(short, 'has no frame at timestamp ') or short = 'has N frames' then 'lacks a frame'
        else regexp_replace(short, ' \([^)]*\bN\b[^)]*\)', '')
    end[:80] as reason,
    message,
from numberless
order by batch, stage, input_id
