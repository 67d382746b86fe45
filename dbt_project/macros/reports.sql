{# What the views about loads and delivery need of the database beyond plain SQL. #}

{% macro as_map(key, value) %}
    {% do return(adapter.dispatch('as_map')(key, value)) %}
{% endmacro %}

{% macro duckdb__as_map(key, value) -%}
    map(list({{ key }} order by {{ key }}), list({{ value }} order by {{ key }}))
{%- endmacro %}


{% macro seconds_between(first, second) %}
    {% do return(adapter.dispatch('seconds_between')(first, second)) %}
{% endmacro %}

{% macro duckdb__seconds_between(first, second) -%}
    (epoch_us({{ second }}) - epoch_us({{ first }})) / 1e6
{%- endmacro %}
