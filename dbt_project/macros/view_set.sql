{% materialization view_set, default %}
    {#
        A set of views whose names only the data knows. The model's query says which: a row per
        view with its name, description and definition. The model itself is a table of these rows;
        views are made, replaced and dropped where it changes, in one transaction with it.

        A name that was sent takes nobody's place: where something else has a view's name, it stays,
        and the view, and what would read it, is left out until the name is free. Ours is what reads
        as it was made: a user may have put a table or another view in its place since.

        Nor does one that cannot be made keep the others from it: it stays as it was, or away, and
        each run tries it again.
    #}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {#- asked first: there may be a thousand views, and most runs change none #}
    {%- if existing and view_set_is_unchanged(target, sql) -%}
        {%- set statements = [] -%}
    {%- else -%}
        {%- set statements = view_set_statements(target, existing, sql) -%}
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


{% macro view_set_is_unchanged(target, sql) %}
    {# Whether the model's table has the rows that its query gives, and each has its view. #}
    {% set query %}
        with wanted as ({{ sql }}
        )

        select name from (
            (select name, description, definition from wanted
            except select name, description, definition from {{ target }})
            union all
            (select name, description, definition from {{ target }}
            except select name, description, definition from wanted)
        ) as changed
        limit 1
    {% endset %}
    {% if run_query(query).rows %} {% do return(false) %} {% endif %}
    {% set there = {} %}
    {% for name in names_in(target) %} {% do there.update({name: true}) %} {% endfor %}
    {% for row in run_query('select lower(name) from ' ~ target).rows if row[0] not in there %}
        {% do return(false) %}
    {% endfor %}
    {% do return(true) %}
{% endmacro %}


{% macro view_set_statements(target, existing, sql) %}
    {# What makes the views and the table as the query says. #}
    {%- set old = {} -%}
    {%- if existing -%}
        {%- for row in run_query('select name, definition from ' ~ target).rows -%}
            {%- do old.update({row[0]: row[1]}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set wanted = {} -%}
    {%- set statements = [] -%}
    {%- set made = {} -%}
    {%- set there = names_in(target) -%}
    {%- set taken = [] -%}
    {%- set unreadable = [] -%}
    {%- set found = run_query(sql).rows -%}
    {%- set changed = [] -%}
    {#- only views that are to change are compared with what the lake has: that is slow for many #}
    {%- for row in found if row[0] in old and old[row[0]] != row[2] and row[0] | lower in there -%}
        {%- do changed.append(row[0]) -%}
    {%- endfor -%}
    {%- set replaced = replaced_by_a_user(target, changed) -%}
    {%- for row in found -%}
        {%- set view = api.Relation.create(target.database, target.schema, row[0], 'view') -%}
        {%- set is_there = row[0] | lower in there -%}
        {#- an array's view reads that of the array around it, so it goes where that one goes #}
        {%- set lacks = unreadable | select('in', row[2]) | list -%}
        {%- if (is_there and row[0] not in old) or row[0] in replaced or lacks -%}
            {%- do taken.append(row[0]) -%}
            {%- do unreadable.append(view.include(database=false) | string) -%}
        {%- else -%}
            {%- do wanted.update({row[0]: row[2]}) -%}
        {%- endif -%}
        {%- if row[0] in wanted and (old.get(row[0]) != row[2] or not is_there) -%}
            {%- do made.update({row[0]: [
                'create or replace view ' ~ view ~ ' as ' ~ row[2],
                'comment on view ' ~ view ~ ' is ' ~ sql_string(row[1])
            ]}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set refused = refused_views(target, made) -%}
    {%- set kept_rows = [] -%}
    {%- for name in refused -%}
        {%- do wanted.pop(name) -%}
        {%- if name in old and name | lower in there -%}
            {%- do wanted.update({name: old[name]}) -%}
            {%- do kept_rows.append(sql_string(name)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for name in made if name not in refused -%}
        {%- do statements.extend(made[name]) -%}
    {%- endfor -%}
    {%- set gone = [] -%}
    {%- for name in old if name not in wanted and name not in replaced and name | lower in there -%}
        {%- do gone.append(name) -%}
    {%- endfor -%}
    {%- set kept = replaced_by_a_user(target, gone) -%}
    {%- for name in gone if name not in kept -%}
        {%- set view = api.Relation.create(target.database, target.schema, name, 'view') -%}
        {%- do statements.append('drop view ' ~ view) -%}
    {%- endfor -%}
    {%- set rows = sql -%}
    {%- if taken or refused -%}
        {%- set names = [] -%}
        {%- for name in taken + refused | list -%}
            {%- do names.append(sql_string(name)) -%}
        {%- endfor -%}
        {%- set rows -%}
            select * from ({{ sql }}) as wanted where name not in ({{ names | join(', ') }})
        {%- endset -%}
    {%- endif -%}
    {%- if refused -%}
        {%- do exceptions.warn(
            'In ' ~ target.schema ~ ' these views could not be made. Each is as it was, or not there '
            ~ 'if it is new; all others are made, and the next run tries again: '
            ~ refused | join(', ') ~ '. The first says: ' ~ refused.values() | first
        ) -%}
    {%- endif -%}
    {%- if taken -%}
        {%- do exceptions.warn(
            'In ' ~ target.schema ~ ' these names are taken by tables or views of yours, which stay, '
            ~ 'and have no view of their own: ' ~ taken | join(', ') ~ '. Rename yours to have it.'
        ) -%}
    {%- endif -%}
    {%- if not existing -%}
        {%- do statements.append('create table ' ~ target ~ ' as ' ~ rows) -%}
    {#- emptied and filled, not replaced: the table keeps its comments #}
    {%- elif statements or old != wanted -%}
        {%- set all_others = ' where name not in (' ~ kept_rows | join(', ') ~ ')' -%}
        {%- do statements.append('delete from ' ~ target ~ (all_others if kept_rows else '')) -%}
        {%- do statements.append('insert into ' ~ target ~ ' ' ~ rows) -%}
    {%- endif -%}
    {%- do return(statements) -%}
{% endmacro %}


{% macro refused_views(relation, made) %}
    {#
        Those of some views that the warehouse would not make, and why.

        made: the statements that make each, by its name
    #}
    {% do return(adapter.dispatch('refused_views')(relation, made) if made else {}) %}
{% endmacro %}

{% macro default__refused_views(relation, made) %}
    {% do return({}) %}
{% endmacro %}

{% macro duckdb__refused_views(relation, made) %}
    {% set asked = {'views': made} %}
    {% do adapter.store_relation('plugin', relation, [], '', '', asked) %}
    {% do return(asked.refused) %}
{% endmacro %}


{% macro view_set_rows(views) %}
    {# The query of such a model, from [name, description, definition] of each view. #}
    {{ return(adapter.dispatch('view_set_rows')(views)) }}
{% endmacro %}

{% macro default__view_set_rows(views) %}
    select
        rows.name,
        rows.description,
        rows.definition
    from (
        values
        {%- for name, description, definition in views %}
        ({{ sql_string(name) }}, {{ sql_string(description) }}, {{ sql_string(definition) }}),
        {%- endfor %}
        {#- a row that types the columns where there are no views, and is filtered out #}
        (cast(null as varchar), cast(null as varchar), cast(null as varchar))
    ) as rows (name, description, definition)
    where rows.name is not null
{% endmacro %}


{% macro names_in(relation) %}
    {# What has a name in the schema of a relation, in small letters: names differ by more than that. #}
    {% do return(adapter.dispatch('names_in')(relation)) %}
{% endmacro %}

{% macro duckdb__names_in(relation) %}
    {# from the catalog itself: information_schema would load every table of the lake #}
    {% set lake = '__ducklake_metadata_' ~ relation.database %}
    {% set names = [] %}
    {% for kind in ['table', 'view'] %}
        {% set query %}
            select lower(known.{{ kind }}_name)
            from {{ lake }}.ducklake_{{ kind }} as known
            inner join {{ lake }}.ducklake_schema as owner on known.schema_id = owner.schema_id
            where
                known.end_snapshot is null
                and owner.end_snapshot is null
                and owner.schema_name = '{{ relation.schema }}'
        {% endset %}
        {% for row in run_query(query).rows %} {% do names.append(row[0]) %} {% endfor %}
    {% endfor %}
    {% do return(names) %}
{% endmacro %}


{% macro replaced_by_a_user(relation, names) %}
    {# Those of a set's names under which there is not, or no more, what the set has made. #}
    {% do return(adapter.dispatch('replaced_by_a_user')(relation, names) if names else []) %}
{% endmacro %}

{% macro duckdb__replaced_by_a_user(relation, names) %}
    {% set lake = '__ducklake_metadata_' ~ relation.database %}
    {% set listed = [] %}
    {% for name in names %} {% do listed.append(sql_string(name)) %} {% endfor %}
    {% set query %}
        select recorded.name
        from {{ relation }} as recorded
        left join (
            select known.view_name, known.sql
            from {{ lake }}.ducklake_view as known
            inner join {{ lake }}.ducklake_schema as owner on known.schema_id = owner.schema_id
            where
                known.end_snapshot is null
                and owner.end_snapshot is null
                and owner.schema_name = '{{ relation.schema }}'
        ) as made on lower(recorded.name) = lower(made.view_name)
        where
            recorded.name in ({{ listed | join(', ') }})
            and {{ as_understood('made.sql', relation.database) }}
            is distinct from {{ as_understood('recorded.definition', relation.database) }}
    {% endset %}
    {% do return(run_query(query).columns[0].values() | list) %}
{% endmacro %}


{% macro as_understood(query, database) -%}
    {#
        The text of a query in DuckDB's own words, as the lake keeps a view's. DuckLake has a word
        in the place of its database's name.
    #}
    try(json_deserialize_sql(json_serialize_sql(
        replace({{ query }}, '{DUCKLAKE_CATALOG}.', '{{ database }}.')
    )))
{%- endmacro %}
