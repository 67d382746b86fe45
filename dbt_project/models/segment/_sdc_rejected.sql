{{ config(materialized='lasting_view', persist_docs={'relation': true, 'columns': false}) }}

with

rejected as (

    select * from {{ source('raw', 'rejected') }}

),

renamed as (

    select
        received_at as _sdc_rejected_at,
        call as table_name,
        reason,
        {#- a body may be rejected because it is no text #}
        {{ bytes_as_text('body') }} as record,
        source as _seamline_source,
        load_id as _seamline_load_id,
        file as _seamline_file,
        line as _seamline_line
    from rejected

)

select * from renamed
