{#
    Arrays as tables, as Stitch makes them: `track__properties__products` has a row per element,
    with the key of the event and the element's place. They are views on the array's JSON column,
    so they are never behind their event and take no room.
#}

{% macro child_tables() %}
    {# [name, description, definition] of each. #}
    {% set views = [] %}
    {% for call in calls() %}
        {% set tables = {} %}
        {% for field in placements(call) if field.table_name != call and field.column_name %}
            {% do tables.setdefault(field.table_name, []).append(field) %}
        {% endfor %}
        {# an array's table comes before those of the arrays in it, as placements are in that order #}
        {% set levels = {call: -1} %}
        {% set lacking = {} %}
        {% for name, fields in tables.items() %}
            {% set array = fields[0].array_column %}
            {% set parent = view_name(fields[0].array_table) %}
            {% set view = view_name(name) %}
            {% do levels.update({name: levels[fields[0].array_table] + 1}) %}
            {% set shown = [] %}
            {% if array not in lacking.get(fields[0].array_table, []) %}
                {% set shown = fields_with_room(ref(call), view, parent, fields, levels[name]) %}
            {% endif %}
            {% if shown | length < fields | length %}
                {% do lacking.update(
                    {name: columns_of(fields) | reject('in', columns_of(shown)) | list}
                ) %}
            {% endif %}
            {% if shown %}
                {% do views.append([
                    view,
                    'Elements of ' ~ array ~ ' in ' ~ parent ~ '. One row per element.',
                    child_table(ref(call), parent, shown, levels[name]),
                ]) %}
            {% endif %}
        {% endfor %}
    {% endfor %}
    {% do return(views) %}
{% endmacro %}


{% macro columns_of(fields) %}
    {% do return(
        fields | map(attribute='column_name') | list + fields | map(attribute='sibling_name') | list
    ) %}
{% endmacro %}


{% macro view_name(name) %}
    {# What the view of an array is called. #}
    {% do return(adapter.dispatch('view_name')(name)) %}
{% endmacro %}

{% macro default__view_name(name) %}
    {% do return(name) %}
{% endmacro %}


{% macro fields_with_room(call_table, name, parent, fields, level) %}
    {# Those fields of an array's elements that its view can have. #}
    {% do return(adapter.dispatch('fields_with_room')(call_table, name, parent, fields, level)) %}
{% endmacro %}

{% macro default__fields_with_room(call_table, name, parent, fields, level) %}
    {% do return(fields) %}
{% endmacro %}


{% macro calls() %}
    {% do return(['alias', 'group', 'identify', 'page', 'screen', 'track']) %}
{% endmacro %}


{% macro child_table(call_table, parent, fields, level) %}
    {% set array = adapter.quote(fields[0].array_column) %}
    {# without the database, as in create_view_as.sql #}
    {% set parent_table = api.Relation.create(none, call_table.schema, parent).quote(identifier=true) %}
    {# Stitch's keys: the event's, then the element's place at each level from the outermost #}
    {% set keys = ['_sdc_source_key_message_id'] %}
    {% set parent_keys = ['message_id as _sdc_source_key_message_id' if level == 0 else keys[0]] %}
    {% for above in range(level) %}
        {% do keys.append('_sdc_level_' ~ above ~ '_id') %}
        {% do parent_keys.append('_sdc_level_' ~ above ~ '_id') %}
    {% endfor %}
    {% do keys.append('_sdc_level_' ~ level ~ '_id') %}
    {# an element came when its event came #}
    {% set receipt = ['_sdc_received_at', '_sdc_batched_at', '_sdc_sequence', '_sdc_table_version'] %}
    {% set reads = read_paths(fields, 'element') %}
    {% set columns = {} %}
    {% for field in fields %}
        {% set read = reads.expressions[field.path] %}
        {% set column = columns.setdefault(
            field.column_name, {'type': field.column_type, 'values': []}
        ) %}
        {# several types of one field can share a column: each is read in its own way #}
        {% set value = field_value(read, field) %}
        {% do column['values'].append(value) if value not in column['values'] %}
        {% if field.sibling_name %}
            {% set sibling = columns.setdefault(
                field.sibling_name, {'type': field.sibling_type, 'values': []}
            ) %}
            {% do sibling['values'].append(unread_value(read, field)) %}
        {% endif %}
    {% endfor %}
    {% set definition %}
select {{ (keys + receipt + column_expressions(columns)) | join(', ') }}
from (
    {#- an element is parsed once for all its fields, beside it and not in place of it #}
    select *{% for read in reads.parsed %}, {{ read }}{% endfor %}
    from (
        {{ elements_of(parent_keys + receipt, array, parent_table, '_sdc_level_' ~ level ~ '_id') }}
    ) as elements
) as parsed
    {% endset %}
    {% do return(definition | trim) %}
{% endmacro %}


{% macro elements_of(columns, array, parent_table, place) %}
    {#
        A row per element of a JSON array, with some columns of its row, its place, from 0, and
        itself as `element`. PHP writes an array with holes as an object with the places for keys;
        any other object has no elements.
    #}
    {% do return(adapter.dispatch('elements_of')(columns, array, parent_table, place)) %}
{% endmacro %}

{% macro duckdb__elements_of(columns, array, parent_table, place) %}
    {% set query -%}
        select
            {{ columns | join(', ') }},
            {{ duckdb__each_element(array) }} as element,
            {{ duckdb__each_place(array) }} as {{ place }}
        from {{ parent_table }}
        where {{ array }} is not null
    {%- endset %}
    {% do return(query) %}
{% endmacro %}


{% macro duckdb__each_element(array) %}
    {% do return(
        'unnest(case when ' ~ has_holes(array) ~ ' then json_extract(' ~ array
        ~ ", '$.*') else json_extract(" ~ array ~ ", '$[*]') end)"
    ) %}
{% endmacro %}

{% macro duckdb__each_place(array) %}
    {% do return(
        'unnest(case when ' ~ has_holes(array) ~ ' then cast(json_keys(' ~ array
        ~ ') as bigint[]) else range(cast(json_array_length(' ~ array ~ ') as bigint)) end)'
    ) %}
{% endmacro %}


{% macro has_holes(array) %}
    {# Whether JSON is a list with holes; in DuckDB, for the two above. #}
    {% do return(
        'json_type(' ~ array ~ ") = 'OBJECT' and len(json_keys(" ~ array ~ ')) > 0'
        ~ ' and len(list_filter(json_keys(' ~ array ~ "), lambda key: not regexp_full_match(key, '"
        ~ place_in_list() ~ "'))) = 0"
    ) %}
{% endmacro %}
