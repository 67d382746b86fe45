with

events as (

    select * from {{ ref('alias') }}

),

renamed as (

    select
        {{ shown_columns('aliases') }},
        _sdc_batched_at as uuid_ts,
        _sdc_batched_at as loaded_at
    from events

)

select * from renamed
