{% materialization lasting_view, default %}
    {#
        A view that is left alone while it is the same. dbt's own view is replaced on each run:
        for our six views that is twelve snapshots of the lake, each with their text once more.

        One that has changed is replaced in one statement: dbt's own keeps the old one under another
        name and drops it behind the commit, where a kill leaves it there.

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
    {%- if view is not none and view_is_unchanged(view, sql) -%}
        {%- call noop_statement('main', 'UNCHANGED') -%} {%- endcall -%}
        {{ return({'relations': [view]}) }}
    {%- endif -%}
    {%- set wanted = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks) }}
    {%- call statement('main') -%} {{ get_create_view_as_sql(wanted, sql) }} {%- endcall -%}
    {%- do persist_docs(wanted, model) -%}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [wanted]}) }}
{% endmaterialization %}


{% macro view_is_unchanged(view, sql) %}
    {% do return(adapter.dispatch('view_is_unchanged')(view, sql)) %}
{% endmacro %}

{% macro default__view_is_unchanged(view, sql) %}
    {% do return(false) %}
{% endmacro %}

{% macro duckdb__view_is_unchanged(view, sql) %}
    {#
        The lake keeps a view's text in DuckDB's own words, so the new one is put into them. From
        the lake's own tables: duckdb_views() loads every view there is, of which events have many.
    #}
    {% set lake = '__ducklake_metadata_' ~ view.database %}
    {% set text = sql_string(without_database(sql, view.database)) %}
    {% set texts %}
        select
            {{ as_understood('known.sql', view.database) }} = {{ as_understood(text, view.database) }},
            tag.value
        from {{ lake }}.ducklake_view as known
        inner join {{ lake }}.ducklake_schema as owner on known.schema_id = owner.schema_id
        left join {{ lake }}.ducklake_tag as tag
            on known.view_id = tag.object_id and tag.key = 'comment' and tag.end_snapshot is null
        where
            known.end_snapshot is null
            and owner.end_snapshot is null
            and owner.schema_name = '{{ view.schema }}'
            and known.view_name = '{{ view.identifier }}'
    {% endset %}
    {% set rows = run_query(texts).rows %}
    {% set description = model.description if config.persist_relation_docs() else none %}
    {% do return(rows and rows[0][0] and rows[0][1] == description) %}
{% endmacro %}
