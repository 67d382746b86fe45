{#- its file is not called as the view is, which a user may well call a model of their own #}
{{
    config(
        materialized='lasting_view',
        alias='loads',
        persist_docs={'relation': true, 'columns': false}
    )
}}

with

files as (

    select
        load_id,
        call,
        min(loaded_at) as loaded_at,
        {#- rejected records that became events later are in the ledger once more, with no bytes #}
        count(*) filter (where bytes > 0) as files,
        cast(sum(bytes) as bigint) as bytes,
        cast(sum(rows) as bigint) as loaded,
        cast(sum(rejected) as bigint) as rejected
    from {{ source('raw', 'landed_file') }}
    group by load_id, call

),

modelled as (

    select
        call,
        max(counted_load_id) filter (where rows is not null) as load_id
    from {{ source('raw', 'completeness') }}
    group by call

),

received as (

    {%- for call in calls() + ['delete', 'rejected'] %}
        select
            load_id,
            '{{ call }}' as call,
            min(received_at) as oldest_received_at,
            max(received_at) as newest_received_at
        from {{ source('raw', call) }}
        group by load_id
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}

),

kept as (

    {%- for call in calls() %}
        select
            _seamline_load_id as load_id,
            '{{ call }}' as call,
            count(*) as rows
        from {{ ref(call) }}
        group by _seamline_load_id
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}

),

reasons as (

    select
        load_id,
        call,
        {{ as_map('reason', 'lines') }} as rejected_by_reason
    from (
        select
            files.load_id,
            files.call,
            rejected.reason,
            count(*) as lines
        from {{ source('raw', 'rejected') }} as rejected
        inner join {{ source('raw', 'landed_file') }} as files
            on rejected.load_id = files.load_id and rejected.file = files.file
        group by files.load_id, files.call, rejected.reason
    ) as of_load
    group by load_id, call

),

parts as (

    {#- unions and no joins: loads that are asked for are then the only ones looked at #}
    select * from files
    union all by name
    select * from received
    union all by name
    select * from kept
    union all by name
    select * from reasons
    union all by name
    select * from {{ source('raw', 'load') }}

),

together as (

    select
        load_id,
        call,
        min(loaded_at) as loaded_at,
        max(files) as files,
        max(bytes) as bytes,
        max(loaded) as loaded,
        max(rejected) as rejected,
        any_value(rejected_by_reason) as rejected_by_reason,
        max(rows) as rows,
        min(oldest_received_at) as oldest_received_at,
        max(newest_received_at) as newest_received_at,
        max(shown_at) as shown_at,
        max(read_seconds) as read_seconds,
        max(fields_seconds) as fields_seconds,
        max(insert_seconds) as insert_seconds,
        max(commit_seconds) as commit_seconds,
        max(models_seconds) as models_seconds
    from parts
    group by load_id, call

),

reports as (

    select
        together.load_id,
        together.call as table_name,
        together.loaded_at,
        together.files,
        together.bytes,
        together.loaded,
        together.rejected,
        together.rejected_by_reason,
        case when together.load_id <= modelled.load_id then coalesce(together.rows, 0) end as rows,
        case
            when together.load_id <= modelled.load_id
                then together.loaded - coalesce(together.rows, 0)
        end as duplicate,
        together.oldest_received_at,
        together.newest_received_at,
        together.shown_at,
        {{ seconds_between('together.oldest_received_at', 'together.shown_at') }} as lag_seconds,
        together.read_seconds,
        together.fields_seconds,
        together.insert_seconds,
        together.commit_seconds,
        together.models_seconds
    from together
    left join modelled on together.call = modelled.call
    {#- what is left of a load in the raw tables alone has its ledger line under another call #}
    where together.loaded_at is not null

)

select * from reports
