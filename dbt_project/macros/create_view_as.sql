{#
    Views without the name under which dbt attaches the lake, so that they can be read under any
    other. DuckLake puts the name of the day in its place, but not in quotes: under `my-lake` no
    view could be read. A view's tables are looked for in the view's own lake.
#}

{% macro duckdb__create_view_as(relation, sql) %}
    {% if config.get('contract').enforced %}
    {{ get_assert_columns_equivalent(sql) }}
    {% endif %}
    {{ config.get('sql_header') or '' }}
    create or replace view {{ relation }} as (
        {{ without_database(sql, relation.database) }}
    );
{% endmacro %}


{% macro without_database(sql, database) %}
    {# Comments, strings and all other names in quotes are stepped over, whatever is in them. #}
    {% set name = modules.re.escape(database) %}
    {% set left = '--[^\\n]*|/\\*.*?\\*/|\'(?:[^\']|\'\')*\'|"(?:[^"]|"")*"' %}
    {% set followed = '(?=(?:\\w+|"(?:[^"]|"")+")\\.)' %}
    {% set qualifier = '(?<![\\w."])(?:' ~ name ~ '|"' ~ name ~ '")\\.' ~ followed %}
    {% do return(modules.re.sub('(?s)' ~ qualifier ~ '|(' ~ left ~ ')', '\\1', sql)) %}
{% endmacro %}
