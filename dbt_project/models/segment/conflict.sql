{{ config(materialized='lasting_view', persist_docs={'relation': true, 'columns': false}) }}

{%- for call in calls() %}
    select
        '{{ call }}' as call,
        kept.message_id,
        kept._seamline_source as row_source,
        kept._seamline_credential as row_credential,
        kept._sdc_received_at as row_received_at,
        copies.source as copy_source,
        copies.credential as copy_credential,
        copies.received_at as copy_received_at,
        kept._sdc_received_at <= copies.received_at as is_row_first,
        kept._seamline_file as row_file,
        kept._seamline_line as row_line,
        copies.file as copy_file,
        copies.line as copy_line,
        copies.load_id as copy_load_id
    from {{ ref(call) }} as kept
    inner join {{ source('raw', call) }} as copies
        on
            kept.message_id = copies.message_id
            and kept._seamline_source is distinct from copies.source
    inner join {{ source('raw', call) }} as of_row
        on
            kept._seamline_file = of_row.file
            and kept._seamline_line = of_row.line
    where
        {{ said_by_event('copies.payload') }} is distinct from {{ said_by_event('of_row.payload') }}
    {%- if not loop.last %}
        union all
    {%- endif %}
{%- endfor %}
