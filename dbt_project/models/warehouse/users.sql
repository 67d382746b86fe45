with

calls as (

    select * from {{ ref('identifies') }}
    {#- a call with an anonymous id alone says nothing of a user #}
    where user_id is not null

),

latest as (

    select
        user_id as id,
        max(received_at) as received_at,
        {#- per column: a later call that leaves a trait out does not take it away #}
        {{ latest_columns('users', 'identifies') }}
        max(uuid_ts) as uuid_ts,
        max(loaded_at) as loaded_at
    from calls
    group by user_id

)

select * from latest
