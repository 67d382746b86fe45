{%- set own_fields %}
    groupId     varchar
    traits      json
{%- endset -%}

with

received as (

    select * from {{ source('raw', 'group') }}

),

landed_files as (

    select * from {{ source('raw', 'landed_file') }}

),

parsed as (

    select
        received.*,
        landed_files.loaded_at,
        {{ parse_payload(own_fields) }} as fields
    from received
    left join landed_files
        on
            received.load_id = landed_files.load_id
            and received.file = landed_files.file

),

clocked as (

    select
        *,
        {{ clock_readings() }}
    from parsed

),

typed as (

    select
        message_id,
        'group' as type,
        {{ field_columns(own_fields) }},
        {{ event_times() }},
        {{ field_columns(common_fields()) }},
        {{ receipt_columns() }}
    from clocked

)

select * from typed
