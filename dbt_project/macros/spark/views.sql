{# Views whose names only the data knows, and arrays as tables, on Spark. #}

{% materialization view_set, adapter='spark' %}
    {#
        As the default (macros/view_set.sql): a view per row of the model's query, and the model is a
        table of these rows. A name that is another's is left to it.
    #}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set old = [] -%}
    {%- if existing -%}
        {%- do old.extend(run_query('select name from ' ~ target).columns[0].values()) -%}
    {%- endif -%}
    {%- set made = [] -%}
    {%- for row in run_query(sql).rows -%}
        {%- set view = api.Relation.create(none, this.schema, row[0]).quote(identifier=true) -%}
        {%- if row[0] not in old and adapter.get_relation(none, this.schema, row[0]) -%}
            {%- do exceptions.warn(
                view ~ ' is a table or view of yours, which stays; rename it to have the view of '
                ~ 'that name.'
            ) -%}
        {%- else -%}
            {%- do run_query('create or replace view ' ~ view ~ ' as ' ~ row[2]) -%}
            {%- do made.append(row[0]) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for name in old if name not in made -%}
        {%- set view = api.Relation.create(none, this.schema, name).quote(identifier=true) -%}
        {%- do run_query('drop view if exists ' ~ view) -%}
    {%- endfor -%}
    {%- do run_query('drop table if exists ' ~ target) -%}
    {%- call statement('main') -%}
        create table {{ target }} using parquet as {{ sql }}
    {%- endcall -%}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% macro spark__view_set_rows(views) %}
    {% set rows = [] %}
    {% for name, description, definition in views %}
        {% do rows.append(
            '(' ~ spark_string(name) ~ ', ' ~ spark_string(description) ~ ', '
            ~ spark_string(definition) ~ ')'
        ) %}
    {% endfor %}
    {% do rows.append('(cast(null as string), cast(null as string), cast(null as string))') %}
    select name, description, definition from values {{ rows | join(',\n') }}
    as rows (name, description, definition)
    where name is not null
{% endmacro %}


{% macro spark__elements_of(columns, array, parent_table, place) %}
    {# PHP writes an array with holes as an object with the places for keys; others have no elements. #}
    {% set document = tagged(array) %}
    {% set has_holes = "size(json_object_keys(" ~ array ~ ")) > 0 and not exists(json_object_keys("
        ~ array ~ "), key -> not key rlike r'^(?:" ~ place_in_list() ~ ")\\z')"
    %}
    {% set query -%}
        select
            {{ columns | join(', ') }},
            found.element,
            found.place as {{ place }}
        from {{ parent_table }}
        lateral view inline(
            case
                when startswith({{ array }}, '[') then transform(
                    from_json({{ document }}, 'array<string>'),
                    (one, at) -> named_struct('place', cast(at as bigint), 'element', one)
                )
                when startswith({{ array }}, '{') and {{ has_holes }} then transform(
                    json_object_keys({{ array }}),
                    key -> named_struct(
                        'place', cast(key as bigint),
                        'element', from_json({{ document }}, 'map<string,string>')[concat('s', key)]
                    )
                )
            end
        ) found as place, element
    {%- endset %}
    {% do return(query) %}
{% endmacro %}
