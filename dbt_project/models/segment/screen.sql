with

copies as (

    select * from {{ ref('stg_segment__screen') }}
    {{ where_not_seen(ref('stg_segment__screen')) }}

),

first_copies as (

    {{ first_received_copies(ref('stg_segment__screen')) }}

),

events as (

    select copies.*
    from copies
    inner join first_copies
        on
            copies._seamline_file = first_copies._seamline_file
            and copies._seamline_line = first_copies._seamline_line

)

select * from events
