{#
    The query of a staging model: every received copy of a call, typed, with its column of each
    documented field first, then how it came here, then what else was found.
#}

{% macro staged_copies(call) %}
{%- set payload = read_payload(call) -%}

with

received as (

    select * from {{ raw_table(call) }}
    {{ loads_shown(call) }}

),

landed_files as (

    select * from {{ raw_table('landed_file') }}

),

parsed as (

    select
        received.*,
        {#- a raw row names its load; when that was, the ledger alone says #}
        landed_files.loaded_at,
        {{ payload.parsed | join(',\n        ') }}
    from received
    left join landed_files
        on
            received.load_id = landed_files.load_id
            and received.file = landed_files.file
    {#- a table that columns.yml leaves out is there, with its columns, and empty #}
    {{ 'where false' if payload.is_left_out }}

),

clocked as (

    select
        *,
        {#- read once here: each of the four times is made of several clocks #}
        {{ clock_readings(payload.clocks) }}
    from parsed

),

typed as (

    select
        message_id,
        '{{ call }}' as type,
        {{ event_times() }},
        {#- what every table has comes first, what was found last, where new columns are added #}
        {{ payload.documented | join(',\n        ') }},
        {{ receipt_columns() }},
        {{ ([unread_times(payload.sent_times)] + payload.found) | join(',\n        ') }}
    from clocked

)

select * from typed
{% endmacro %}


{% macro loads_shown(call) %}
    {# The loads of whose copies all are there; in the warehouse a load is there as a whole. #}
    {{ return(adapter.dispatch('loads_shown')(call)) }}
{% endmacro %}

{% macro default__loads_shown(call) %}{% endmacro %}
