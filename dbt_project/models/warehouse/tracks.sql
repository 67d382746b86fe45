with

events as (

    select * from {{ ref('track') }}

),

names as (

    select * from {{ source('columns', 'event_name') }}

),

renamed as (

    select
        {{ shown_columns('tracks', 'events') }},
        events._sdc_batched_at as uuid_ts,
        events._sdc_batched_at as loaded_at
    from events
    left join names on events.event = names.event

)

select * from renamed
