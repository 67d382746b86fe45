{{ config(materialized='lasting_view', persist_docs={'relation': true, 'columns': false}) }}

with

counted as (

    select * from {{ source('raw', 'completeness') }}

),

exposed as (

    select
        {#- named one by one: the raw table may get columns, this contract not by itself #}
        call,
        source,
        hour,
        received,
        loaded,
        rejected,
        waiting,
        rows,
        duplicate,
        folded,
        conflicting,
        unread_times,
        counted_at
    from counted

)

select * from exposed
