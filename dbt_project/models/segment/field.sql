{{ config(materialized='lasting_view', persist_docs={'relation': true, 'columns': false}) }}

with

fields as (

    select * from {{ source('raw', 'field') }}

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
        coalesce(placements.status, 'new') as status,
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
        fields.count
    from fields
    left join placements
        on
            fields.call = placements.call
            and fields.path = placements.path
            and fields.type = placements.type

)

select * from placed
