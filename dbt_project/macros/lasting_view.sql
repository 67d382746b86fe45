{% materialization lasting_view, default %}
    {#
        A view that is left alone while it is the same. dbt's own view is replaced on each run:
        for our six views that is twelve snapshots of the lake, each with their text once more.

        A view of this name is the model's, whoever made it. A table is not, and may have rows that
        are nowhere else: dbt's own would drop it.
    #}
    {%- set view = load_cached_relation(this) -%}
    {%- if view is not none and view.is_table -%}
        {%- do exceptions.raise_compiler_error(
            view.include(database=false) | replace('"', '') ~ ' is a table, where a view is to be. '
            ~ 'It was left as it is: rename it, or drop it, to have the view.'
        ) -%}
    {%- endif -%}
    {%- if view is none or not view_is_unchanged(view, sql) -%}
        {{ return(materialization_view_default()) }}
    {%- endif -%}
    {%- call noop_statement('main', 'UNCHANGED') -%} {%- endcall -%}
    {{ return({'relations': [view]}) }}
{% endmaterialization %}


{% macro view_is_unchanged(view, sql) %}
    {% do return(adapter.dispatch('view_is_unchanged')(view, sql)) %}
{% endmacro %}

{% macro default__view_is_unchanged(view, sql) %}
    {% do return(false) %}
{% endmacro %}

{% macro duckdb__view_is_unchanged(view, sql) %}
    {# DuckDB keeps a view's text as it has understood it, so it is shown the new one to compare. #}
    {% set new = make_temp_relation(view) %}
    {% set text = without_database(sql, view.database) %}
    {% set own = run_query('select current_database()').rows[0][0] %}
    {# a temporary view is in no lake: it finds its tables where the session looks for them #}
    {% do run_query('use ' ~ adapter.quote(view.database)) %}
    {% do run_query('create temporary view ' ~ new ~ ' as (' ~ text ~ ')') %}
    {% do run_query('use ' ~ adapter.quote(own)) %}
    {% set texts %}
        {#- the names before it differ on purpose #}
        select substr(sql, strpos(sql, ' AS ')), comment
        from duckdb_views()
        where
            (database_name = 'temp' and view_name = '{{ new.identifier }}')
            or (
                database_name = '{{ view.database }}'
                and schema_name = '{{ view.schema }}'
                and view_name = '{{ view.identifier }}'
            )
        order by database_name = 'temp'
    {% endset %}
    {% set rows = run_query(texts).rows %}
    {% do run_query('drop view ' ~ new) %}
    {% set description = model.description if config.persist_relation_docs() else none %}
    {% do return(rows[0][0] == rows[1][0] and rows[0][1] == description) %}
{% endmacro %}
