{#
    What the models read on Spark: the Parquet files that `seamline export --raw` writes
    (docs/decisions/0052-the-models-on-spark.md).
#}

{% macro spark__raw_table(name) %}
    {#- for dbt, so that it knows what the model reads -#}
    {%- do source('raw', name) -%}
    {%- do return(exported('raw', name)) -%}
{% endmacro %}


{% macro spark__columns_table(name) %}
    {% do return(exported('columns', name)) %}
{% endmacro %}


{% macro exported(schema, name) %}
    {% set folder = env_var('SEAMLINE_EXPORT_RAW', '') %}
    {% if execute and not folder %}
        {% do exceptions.raise_compiler_error(
            'SEAMLINE_EXPORT_RAW names no folder. The models read on Spark what '
            ~ '`seamline export --raw` has written: set it to that folder, as Spark reaches it.'
        ) %}
    {% endif %}
    {# Hadoop's name for what others call s3:// #}
    {% set address = modules.re.sub('^s3://', 's3a://', folder | as_text) %}
    {% do return('parquet.`' ~ address ~ '/' ~ schema ~ '/' ~ name ~ '`') %}
{% endmacro %}


{% macro spark__loads_shown(call) %}
    where load_id <= (select load_id from {{ columns_table('exported') }} where call = '{{ call }}')
{% endmacro %}


{% macro spark__sql_types() %}
    {% do return({'varchar': 'string', 'json': 'string', 'timestamp': 'timestamp_ntz'}) %}
{% endmacro %}
