{#- its file is not called as the view is, which a user may well call a model of their own #}
{{
    config(
        materialized='lasting_view',
        alias='delivery',
        persist_docs={'relation': true, 'columns': false}
    )
}}

with

counted as (

    select
        date_trunc('day', hour) as day,
        source,
        call,
        cast(sum(received) as bigint) as received,
        cast(sum(rejected) as bigint) as rejected,
        cast(sum(waiting) as bigint) as waiting,
        cast(coalesce(sum(duplicate), 0) as bigint) as duplicate,
        cast(coalesce(sum(rows), 0) as bigint) as rows,
        cast(coalesce(sum(loaded) filter (where rows is null), 0) as bigint) as raw_only
    from {{ source('raw', 'completeness') }}
    group by date_trunc('day', hour), source, call

),

modelled as (

    select
        call,
        max(counted_load_id) as load_id
    from {{ source('raw', 'completeness') }}
    group by call

),

often as (

    {#- a name is data of whoever sends it: one that few events have is counted with the others #}
    select event
    from {{ source('raw', 'field') }}
    where call = 'track' and path = 'event'
    group by event
    having sum(count) >= 10

),

kept as (

    {%- for call in calls() %}
        select
            date_trunc('day', kept._sdc_received_at) as day,
            coalesce(kept._seamline_source, 'unknown') as source,
            '{{ call }}' as call,
            {{ 'often.event' if call == 'track' else 'null' }} as event,
            {{ seconds_between('kept._sdc_received_at', 'load.shown_at') }} as lag_seconds
        from {{ ref(call) }} as kept
        inner join modelled on modelled.call = '{{ call }}'
        {%- if call == 'track' %}
            left join often on kept.event = often.event
        {%- endif %}
        left join {{ source('raw', 'load') }} as load
            on kept._seamline_load_id = load.load_id and load.call = '{{ call }}'
        where kept._seamline_load_id <= modelled.load_id
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}

),

kept_rows as (

    select
        day,
        source,
        call,
        event,
        count(*) as rows,
        quantile_cont(lag_seconds, 0.5) as lag_p50_seconds,
        quantile_cont(lag_seconds, 0.95) as lag_p95_seconds
    from kept
    group by day, source, call, event

),

received as (

    select
        date_trunc('day', received_at) as day,
        coalesce(source, 'unknown') as source,
        message_id,
        load_id,
        file,
        line
    from {{ source('raw', 'track') }}

),

first_copies as (

    select
        date_trunc('day', _sdc_received_at) as day,
        _seamline_file as file,
        _seamline_line as line
    from {{ ref('track') }}

),

not_rows as (

    {#- by the day as well, though file and line say which it is: else it is looked for among all #}
    select
        received.day,
        received.source,
        received.message_id
    from received
    left join first_copies
        on
            received.day = first_copies.day
            and received.file = first_copies.file
            and received.line = first_copies.line
    where
        first_copies.file is null
        {#- no join: behind one DuckDB expects more copies than there are, and hashes all ids #}
        and exists (
            select 1
            from modelled
            where modelled.call = 'track' and received.load_id <= modelled.load_id
        )

),

copies as (

    {#-
        What is not its message's row has that row's name, whatever it says itself. That row may be
        of any day: where there are copies, ids and names of the whole table are looked through.
    #}
    select
        not_rows.day,
        not_rows.source,
        often.event,
        count(*) as duplicate
    from not_rows
    inner join {{ ref('track') }} as of_message on not_rows.message_id = of_message.message_id
    inner join often on of_message.event = often.event
    group by not_rows.day, not_rows.source, often.event

),

named as (

    {#- unions and sums, and no joins: a day that is asked for is then the only one looked at #}
    select
        day,
        source,
        event,
        cast(sum(duplicate) as bigint) as duplicate,
        cast(sum(rows) as bigint) as rows,
        max(lag_p50_seconds) as lag_p50_seconds,
        max(lag_p95_seconds) as lag_p95_seconds
    from (
        select
            day,
            source,
            event,
            0 as duplicate,
            rows,
            lag_p50_seconds,
            lag_p95_seconds
        from kept_rows
        where event is not null
        union all
        select
            day,
            source,
            event,
            duplicate,
            0 as rows,
            null as lag_p50_seconds,
            null as lag_p95_seconds
        from copies
    ) as both_kinds
    group by day, source, event

),

others as (

    {#- all of a call but what has a name: so the sums are those of `completeness` #}
    select
        day,
        source,
        call,
        cast(sum(received) as bigint) as received,
        cast(sum(rejected) as bigint) as rejected,
        cast(sum(waiting) as bigint) as waiting,
        cast(sum(duplicate) as bigint) as duplicate,
        cast(sum(rows) as bigint) as rows,
        cast(sum(raw_only) as bigint) as raw_only,
        max(lag_p50_seconds) as lag_p50_seconds,
        max(lag_p95_seconds) as lag_p95_seconds
    from (
        select
            *,
            null as lag_p50_seconds,
            null as lag_p95_seconds
        from counted
        union all by name
        select
            day,
            source,
            'track' as call,
            -duplicate - rows as received,
            -duplicate as duplicate,
            -rows as rows
        from named
        union all by name
        select
            day,
            source,
            call,
            lag_p50_seconds,
            lag_p95_seconds
        from kept_rows
        where event is null
    ) as parts
    group by day, source, call

),

not_stored as (

    select
        date_trunc('day', hour) as day,
        source,
        cast(coalesce(sum(number) filter (where reason = 'shut_out'), 0) as bigint) as shut_out,
        cast(coalesce(sum(number) filter (where reason = 'suppressed'), 0) as bigint) as suppressed,
        cast(coalesce(sum(number) filter (where reason = 'throttled'), 0) as bigint) as throttled
    from {{ source('raw', 'not_stored') }}
    group by date_trunc('day', hour), source

),

delivery as (

    select
        day,
        source,
        'track' as call,
        event,
        duplicate + rows as received,
        0 as shut_out,
        0 as suppressed,
        0 as rejected,
        0 as waiting,
        duplicate,
        rows,
        0 as raw_only,
        0 as throttled_requests,
        lag_p50_seconds,
        lag_p95_seconds
    from named
    union all
    select
        day,
        source,
        call,
        null as event,
        received,
        0 as shut_out,
        0 as suppressed,
        rejected,
        waiting,
        duplicate,
        rows,
        raw_only,
        0 as throttled_requests,
        lag_p50_seconds,
        lag_p95_seconds
    from others
    where received > 0 or rejected > 0
    union all
    select
        day,
        source,
        null as call,
        null as event,
        shut_out + suppressed as received,
        shut_out,
        suppressed,
        0 as rejected,
        0 as waiting,
        0 as duplicate,
        0 as rows,
        0 as raw_only,
        throttled as throttled_requests,
        null as lag_p50_seconds,
        null as lag_p95_seconds
    from not_stored

)

select * from delivery
