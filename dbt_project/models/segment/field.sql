{{ config(materialized='lasting_view', persist_docs={'relation': true, 'columns': false}) }}

with

fields as (

    select
        call,
        source,
        event,
        {#- a load adds rows, whose counts add up; a path of nothing counts what is not listed #}
        nullif(path, '') as path,
        type,
        min(first_seen) as first_seen,
        max(last_seen) as last_seen,
        cast(sum(count) as bigint) as count
    from {{ source('raw', 'field') }}
    group by all

),

placements as (

    select * from {{ source('columns', 'placement') }}

),

placed as (

    select
        fields.call,
        fields.event,
        fields.path,
        fields.type,
        {#- seen since the models last ran: it gets its column with the next run #}
        case
            when fields.path is null then 'not listed'
            else coalesce(placements.status, 'new')
        end as status,
        placements.table_name,
        placements.column_name,
        {#- placement's words for what is not read like a field: clocks, the line's own ids #}
        case placements.column_type
            when 'time' then 'timestamp'
            when 'envelope' then 'varchar'
            else placements.column_type
        end as column_type,
        placements.sibling_name,
        fields.first_seen,
        fields.last_seen,
        fields.count,
        fields.source
    from fields
    left join placements
        on
            fields.call = placements.call
            and fields.path = placements.path
            and fields.type = placements.type

)

select * from placed
