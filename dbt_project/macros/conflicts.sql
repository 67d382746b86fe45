{# What an event says, as a list that is equal for equal events, however they are written down. #}

{% macro said_by_event(payload) %}
    {% do return(adapter.dispatch('said_by_event')(payload)) %}
{% endmacro %}

{% macro duckdb__said_by_event(payload) -%}
    {%- set members = [] -%}
    {%- for name in var('said_by_an_event') -%}
        {%- do members.append("'" ~ name ~ "', " ~ payload ~ " -> '$." ~ name ~ "'") -%}
    {%- endfor -%}
    (
            select list_sort(list(fullkey || ' ' || type || ' ' || coalesce(cast(atom as varchar), '')))
            from json_tree(json_object({{ members | join(', ') }}))
        )
{%- endmacro %}
