with

events as (

    select * from {{ ref('group') }}

),

renamed as (

    select
        {{ shown_columns('groups') }},
        _sdc_batched_at as uuid_ts,
        _sdc_batched_at as loaded_at
    from events

)

select * from renamed
