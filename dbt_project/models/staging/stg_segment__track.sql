{%- set payload = read_payload('track') -%}

with

received as (

    select * from {{ source('raw', 'track') }}

),

landed_files as (

    select * from {{ source('raw', 'landed_file') }}

),

parsed as (

    select
        received.*,
        landed_files.loaded_at,
        {{ payload.parsed | join(',\n        ') }}
    from received
    left join landed_files
        on
            received.load_id = landed_files.load_id
            and received.file = landed_files.file
    {{ 'where false' if payload.is_left_out }}

),

clocked as (

    select
        *,
        {{ clock_readings(payload.clocks) }}
    from parsed

),

typed as (

    select
        message_id,
        'track' as type,
        {{ event_times() }},
        {{ payload.documented | join(',\n        ') }},
        {{ receipt_columns() }},
        {{ ([unread_times(payload.sent_times)] + payload.found) | join(',\n        ') }}
    from clocked

)

select * from typed
