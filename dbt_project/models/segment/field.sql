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

names as (

    select * from {{ source('columns', 'event_name') }}

),

shown as (

    {#- an event's own fields are in its relation, and all others in that of the call #}
    select
        shown_as.call,
        shown_as.column_name,
        names.event,
        shown_as.relation,
        {#- of two keys that fold to one name both may show the column #}
        min(shown_as.name) as name,
        min(shown_as.type) as type
    from {{ source('columns', 'shown_column') }} as shown_as
    left join names on shown_as.relation = names.relation
    where shown_as.relation not in ('users', 'accounts')
    group by shown_as.call, shown_as.column_name, names.event, shown_as.relation

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
        fields.source,
        shown.relation,
        shown.name as relation_column,
        shown.type as relation_type
    from fields
    left join placements
        on
            fields.call = placements.call
            and fields.path = placements.path
            and fields.type = placements.type
    left join shown
        on
            placements.table_name = shown.call
            and placements.column_name = shown.column_name
            and fields.event is not distinct from shown.event

)

select * from placed
