{% macro receipt_columns(is_in_ledger=true) -%}
    {# How a row came here: Stitch's `_sdc_` columns, and ours beside them. -#}
    received_at as _sdc_received_at,
        {{ 'loaded_at as _sdc_batched_at,' if is_in_ledger }}
        {#- by receipt, and within one by line, so that copies have an order #}
        {#- an earlier version has loaded lines of years in which that does not fit 64 bits #}
        case when received_at >= timestamp '1970-01-01' and received_at < timestamp '2262-01-01'
            then {{ epoch_microseconds('received_at') }} * 1000 + line % 1000
        end as _sdc_sequence,
        {#- Stitch's changes when a table is replicated in full once more, which events never are #}
        cast(1 as bigint) as _sdc_table_version,
        source as _seamline_source,
        credential as _seamline_credential,
        load_id as _seamline_load_id,
        file as _seamline_file,
        line as _seamline_line
{%- endmacro %}


{% macro epoch_microseconds(time) %}
    {% do return(adapter.dispatch('epoch_microseconds')(time)) %}
{% endmacro %}

{% macro duckdb__epoch_microseconds(time) %}
    {% do return('epoch_us(' ~ time ~ ')') %}
{% endmacro %}


{% macro bytes_as_text(bytes) %}
    {# Bytes as the text they are, or with what is no text escaped. #}
    {% do return(adapter.dispatch('bytes_as_text')(bytes)) %}
{% endmacro %}

{% macro duckdb__bytes_as_text(bytes) %}
    {% do return('coalesce(try(decode(' ~ bytes ~ ')), cast(' ~ bytes ~ ' as varchar))') %}
{% endmacro %}
