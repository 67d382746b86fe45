with

calls as (

    select * from {{ ref('groups') }}
    {#- a group call may come without its group #}
    where group_id is not null

),

latest as (

    select
        group_id as id,
        max(received_at) as received_at,
        {#- per column: a later call that leaves a trait out does not take it away #}
        {{ latest_columns('accounts', 'groups') }}
        max(uuid_ts) as uuid_ts,
        max(loaded_at) as loaded_at
    from calls
    group by group_id

)

select * from latest
