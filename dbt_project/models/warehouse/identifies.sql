with

events as (

    select * from {{ ref('identify') }}

),

renamed as (

    select
        {{ shown_columns('identifies') }},
        _sdc_batched_at as uuid_ts,
        _sdc_batched_at as loaded_at
    from events

)

select * from renamed
