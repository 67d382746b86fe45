{{ config(materialized='lasting_view', persist_docs={'relation': true, 'columns': false}) }}

with

changes as (

    select * from {{ source('columns', 'column_change') }}

),

named as (

    select
        changed_at,
        case
            when relation is null then '{{ this.schema }}' else '{{ this.schema }}_warehouse'
        end as schema_name,
        coalesce(relation, table_name) as table_name,
        column_name,
        old_name,
        old_type,
        new_type
    from changes

)

select * from named
