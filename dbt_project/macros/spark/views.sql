{# Views whose names only the data knows, and arrays as tables, on Spark. #}

{% materialization view_set, adapter='spark' %}
    {#
        As the default (macros/view_set.sql): a view per row of the model's query, and the model is a
        table of these rows. A view is ours by a property of it, so whatever else has its name stays,
        and the view, and what would read it, is left out until the name is free.

        The table is never dropped, but overwritten, so there is no moment without it.
    #}
    {%- set target = this.incorporate(type='table') -%}
    {%- set there = kinds_in(this.schema) -%}
    {%- set made = {} -%}
    {%- set taken = [] -%}
    {%- set unreadable = [] -%}
    {%- for row in run_query(sql).rows -%}
        {%- set view = api.Relation.create(none, this.schema, row[0]).quote(identifier=true) -%}
        {%- set is_taken = row[0] in there and not is_in_view_set(view, there[row[0]]) -%}
        {#- no key that was sent has a line break in the text of a view #}
        {%- if is_taken or unreadable | select('in', row[2]) | list -%}
            {%- do taken.append(row[0]) -%}
            {%- do unreadable.append('from ' ~ view ~ '\n') -%}
        {%- else -%}
            {%- do run_query(
                'create or replace view ' ~ view ~ " tblproperties ('seamline.view_set' = '"
                ~ this.identifier ~ "') as " ~ row[2]
            ) -%}
            {%- do made.update({row[0]: [row[0], row[1], row[2]]}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for name, kind in there.items() if name.split('__')[0] in calls() and name not in made -%}
        {%- set view = api.Relation.create(none, this.schema, name).quote(identifier=true) -%}
        {%- if is_in_view_set(view, kind) -%}
            {%- do run_query('drop view ' ~ view) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if taken -%}
        {%- do exceptions.warn(
            'In ' ~ this.schema ~ ' these names are taken by tables or views of yours, which stay, '
            ~ 'and have no view of their own: ' ~ taken | join(', ') ~ '. Rename yours to have it.'
        ) -%}
    {%- endif -%}
    {%- if this.identifier not in there -%}
        {%- do remove_left_over(target) -%}
        {%- do run_query(
            'create table ' ~ target ~ ' (name string, description string, definition string) '
            ~ 'using parquet'
        ) -%}
    {%- endif -%}
    {%- call statement('main') -%}
        insert overwrite table {{ target }} {{ spark__view_set_rows(made.values()) }}
    {%- endcall -%}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% macro kinds_in(schema) %}
    {# What is in a schema -> whether it is a table or a view. #}
    {% set kinds = {} %}
    {% for kind in ['table', 'view'] %}
        {% for row in run_query('show ' ~ kind ~ 's in ' ~ schema).rows if not row[2] %}
            {% do kinds.update({row[1]: kind}) %}
        {% endfor %}
    {% endfor %}
    {% do return(kinds) %}
{% endmacro %}


{% macro is_in_view_set(view, kind) %}
    {# Whether what is there is a view that a set has made. #}
    {% do return(kind == 'view' and 'seamline.view_set' in properties_of(view)) %}
{% endmacro %}


{% macro spark__view_name(name) %}
    {#
        Spark's names have letters of ASCII alone. Others are left out, and a hash says which they
        were; with a dash below behind it, as no name of the warehouse has.
    #}
    {% if modules.re.fullmatch('[a-z0-9_]+', name) %} {% do return(name) %} {% endif %}
    {% set letters = modules.re.sub('[^a-z0-9_]+', '_', name) %}
    {% do return(letters ~ '_' ~ local_md5(name)[:12] ~ '_') %}
{% endmacro %}


{% macro spark__fields_with_room(call_table, name, parent, fields, level) %}
    {#
        A metastore has an end of a view's text, and says so when it is too late. So a view has its
        first fields, as many as there is room for: who sends many more hides nobody else's.
    #}
    {% set longest = var('longest_view', 32700) %}
    {% if child_table(call_table, parent, fields, level) | length <= longest %}
        {% do return(fields) %}
    {% endif %}
    {% set paths = [] %}
    {% for field in fields if field.path not in paths %}
        {#- one key alone may be longer than all the room #}
        {% if field['keys'] | join | length <= 1000 %} {% do paths.append(field.path) %} {% endif %}
    {% endfor %}
    {% set fitting = namespace(least=0, most=paths | length) %}
    {% for step in range(20) %}
        {% if fitting.least < fitting.most %}
            {% set middle = (fitting.least + fitting.most + 1) // 2 %}
            {% set some = fields | selectattr('path', 'in', paths[:middle]) | list %}
            {% if child_table(call_table, parent, some, level) | length <= longest %}
                {% set fitting.least = middle %}
            {% else %}
                {% set fitting.most = middle - 1 %}
            {% endif %}
        {% endif %}
    {% endfor %}
    {% do exceptions.warn(
        name ~ ' has more fields than fit into the text of a view, of which the metastore is taken to '
        ~ 'hold ' ~ longest ~ ' characters. It has the first ' ~ fitting.least ~ '; the others are in '
        ~ 'the JSON of their array. Where the metastore holds more: '
        ~ "--vars '{longest_view: 400000}'."
    ) %}
    {% do return(fields | selectattr('path', 'in', paths[:fitting.least]) | list) %}
{% endmacro %}


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
