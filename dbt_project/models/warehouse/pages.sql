with

events as (

    select * from {{ ref('page') }}

),

renamed as (

    select
        {{ shown_columns('pages') }},
        _sdc_batched_at as uuid_ts,
        _sdc_batched_at as loaded_at
    from events

)

select * from renamed
