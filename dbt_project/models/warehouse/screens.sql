with

events as (

    select * from {{ ref('screen') }}

),

renamed as (

    select
        {{ shown_columns('screens') }},
        _sdc_batched_at as uuid_ts,
        _sdc_batched_at as loaded_at
    from events

)

select * from renamed
