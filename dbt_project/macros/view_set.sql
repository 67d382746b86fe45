{% materialization view_set, default %}
    {#
        A set of views whose names only the data knows. The model's query says which: a row per
        view with its name, description and definition. The model itself is a table of these rows;
        views are made, replaced and dropped where it changes, in one transaction with it.
    #}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set old = {} -%}
    {%- if existing -%}
        {%- for row in run_query('select name, definition from ' ~ target).rows -%}
            {%- do old.update({row[0]: row[1]}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set wanted = {} -%}
    {%- set statements = [] -%}
    {%- for row in run_query(sql).rows -%}
        {%- do wanted.update({row[0]: row[2]}) -%}
        {%- set view = api.Relation.create(target.database, target.schema, row[0], 'view') -%}
        {%- if old.get(row[0]) != row[2] or not load_cached_relation(view) -%}
            {%- do statements.append('create or replace view ' ~ view ~ ' as ' ~ row[2]) -%}
            {%- do statements.append('comment on view ' ~ view ~ ' is ' ~ sql_string(row[1])) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for name in old if name not in wanted -%}
        {%- set view = api.Relation.create(target.database, target.schema, name, 'view') -%}
        {%- do statements.append('drop view if exists ' ~ view) -%}
    {%- endfor -%}
    {%- if not existing -%}
        {%- do statements.append('create table ' ~ target ~ ' as ' ~ sql) -%}
    {%- elif statements -%}
        {%- do statements.append('delete from ' ~ target) -%}
        {%- do statements.append('insert into ' ~ target ~ ' ' ~ sql) -%}
    {%- endif -%}
    {%- if statements -%}
        {%- call statement('main') -%} {{ statements | join(';\n') }} {%- endcall -%}
    {%- else -%}
        {%- call noop_statement('main', 'UNCHANGED') -%} {%- endcall -%}
    {%- endif -%}
    {%- do persist_docs(target, model) -%}
    {{- run_hooks(post_hooks, inside_transaction=True) -}}
    {%- do adapter.commit() -%}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% macro view_set_rows(views) %}
    {# The query of such a model, from [name, description, definition] of each view. #}
    select
        rows.name,
        rows.description,
        rows.definition
    from (
        values
        {%- for name, description, definition in views %}
        ({{ sql_string(name) }}, {{ sql_string(description) }}, {{ sql_string(definition) }}),
        {%- endfor %}
        (cast(null as varchar), cast(null as varchar), cast(null as varchar))
    ) as rows (name, description, definition)
    where rows.name is not null
{% endmacro %}
