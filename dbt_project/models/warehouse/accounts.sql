with

calls as (

    select * from {{ ref('groups') }}
    where group_id is not null

),

latest as (

    select
        group_id as id,
        {{ latest_columns('groups') }},
        max(received_at) as received_at,
        max(uuid_ts) as uuid_ts,
        max(loaded_at) as loaded_at
    from calls
    group by group_id

)

select * from latest
