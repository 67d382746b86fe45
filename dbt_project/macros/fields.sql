{#
    The fields of a call, as columns.placement says: orchestration/columns/ places them before dbt
    starts, the documented ones (dbt_project.yml) first, then those that were seen.
#}

{% macro placements(call) %}
    {#
        The rows of columns.placement for one call and for the arrays in it that have a column, in
        the order of columns. Of the others there may be very many.
    #}
    {% set rows = [] %}
    {% if execute %}
        {% set query %}
            select {{ row_as_json('placement') }} from {{ columns_table('placement') }} as placement
            where call = '{{ call }}' and column_name is not null order by place
        {% endset %}
        {% for row in run_query(query) %}
            {% do rows.append(fromjson(row[0])) %}
        {% endfor %}
    {% endif %}
    {% do return(rows) %}
{% endmacro %}


{% macro columns_table(name) %}
    {# A table of the schema `columns`; no source(), as a unit test would have to give its rows. #}
    {% do return(adapter.dispatch('columns_table')(name)) %}
{% endmacro %}

{% macro duckdb__columns_table(name) %}
    {% do return(api.Relation.create(target.database, 'columns', name)) %}
{% endmacro %}


{% macro raw_table(name) %}
    {# A table of the schema `raw`. #}
    {% do return(adapter.dispatch('raw_table')(name)) %}
{% endmacro %}

{% macro default__raw_table(name) %}
    {% do return(source('raw', name)) %}
{% endmacro %}


{% macro read_payload(call) %}
    {#
        How the payload of a call becomes columns:

        parsed:     select expressions that read it, once for all fields (`fields`, `others`)
        clocks:     field -> the text of an event's own clock reading
        sent_times: field -> the text of whatever was sent as one
        documented: select expressions of the documented fields' columns
        found:      of all others, each with the path it comes from as [expression, name, path]
        is_left_out: columns.yml leaves the whole table out
    #}
    {% set of_call = placements(call) | selectattr('table_name', 'eq', call) | list %}
    {% set reads = read_paths(of_call) %}
    {% set documented = {} %}
    {% set found = {} %}
    {% set clocks = {} %}
    {% set sent_times = {} %}
    {% set documented_paths = of_call | rejectattr('type') | map(attribute='path') | list %}
    {% for field in of_call if field.column_name and field.column_type != 'envelope' %}
        {% set is_documented = field.is_declared and field.path in documented_paths %}
        {% set read = reads.expressions.get(field.path) %}
        {% set columns = documented if is_documented else found %}
        {% if field.status == 'column' and field.column_type == 'time' %}
            {% do clocks.setdefault(field.path, clock_text(read, field)) %}
            {% do sent_times.setdefault(field.path, sent_text(read, field)) %}
        {# a clock that is left out is not read; its column is event_times()'s all the same #}
        {% elif field.column_type == 'time' %}
        {# a documented column is there from the first day; what is left out is its values #}
        {% elif field.status == 'left out' %}
            {% do documented.update({field.column_name: {
                'type': field.column_type, 'path': field.path, 'values': ['null']
            }}) %}
        {% else %}
            {% set column = columns.setdefault(
                field.column_name, {'type': field.column_type, 'path': field.path, 'values': []}
            ) %}
            {% set value = since_load(field_value(read, field), field.since_load) %}
            {% if value and value not in column['values'] %}
                {% do column['values'].append(value) %}
            {% endif %}
        {% endif %}
        {# a row without a type stands for the documented field as a whole, and has no values #}
        {% if field.sibling_name and field.type %}
            {% set sibling = found.setdefault(
                field.sibling_name, {'type': field.sibling_type, 'path': field.path, 'values': []}
            ) %}
            {% do sibling['values'].append(
                since_load(unread_value(read, field), field.sibling_since_load)
            ) %}
        {% endif %}
    {% endfor %}
    {% do return({
        'parsed': reads.parsed,
        'clocks': clocks,
        'sent_times': sent_times,
        'documented': column_expressions(documented),
        'found': column_expressions(found),
        'is_left_out': of_call and of_call | rejectattr('status', 'eq', 'left out') | list == [],
    }) %}
{% endmacro %}


{% macro column_expressions(columns) %}
    {% set expressions = [] %}
    {% set types = sql_types() %}
    {% for name, column in columns.items() %}
        {% set values = column['values'] %}
        {# of the readings of one value at most one is not null: a value has one type #}
        {% set value = 'coalesce(' ~ values | join(', ') ~ ')' if values | length > 1 else values[0] %}
        {% do expressions.append(
            'cast(' ~ value ~ ' as ' ~ types.get(column.type, column.type) ~ ') as '
            ~ adapter.quote(name)
        ) %}
    {% endfor %}
    {% do return(expressions) %}
{% endmacro %}


{% macro sql_types() %}
    {# Type of a column in columns.placement -> what the engine calls it, where that is another. #}
    {% do return(adapter.dispatch('sql_types')()) %}
{% endmacro %}

{% macro default__sql_types() %}
    {% do return({}) %}
{% endmacro %}


{% macro field_value(read, field) %}
    {#
        What of a field goes to its column. Where the payload is read as the column's type, the
        value is there; where it is read as JSON, each type that was seen is picked out of it. The
        row of a documented field that says no type stands for all types, and then for none.
    #}
    {% if is_read_as_id(read, field) %}
        {% set text = read if field.read_as != 'json' else json_read_as(read, 'varchar') %}
        {% set id = blank_as_null(text) %}
        {% do return(hashed(id, field.call) if field.is_hashed else id) %}
    {% elif field.is_hashed %}
        {% do return(hashed(read if field.read_as != 'json' else json_text(read), field.call)) %}
    {% elif field.read_as != 'json' %}
        {% do return(read) %}
    {% elif field.column_type == 'json' and field.is_declared %}
        {% do return(json_as_column(read) if read else read) %}
    {% elif field.is_declared %}
        {% do return(json_read_as(read, field.column_type)) %}
    {% elif field.type %}
        {% do return(json_value_of(read, field.type, field.column_type)) %}
    {% endif %}
{% endmacro %}


{% macro since_load(value, load) %}
    {#
        A value from the load on with which its column began. Who had sent the field before had no
        room for a column: those rows are there without it, and are so too when built anew.
    #}
    {% do return(
        'case when load_id >= ' ~ load ~ ' then ' ~ value ~ ' end' if value and load is not none
        else value
    ) %}
{% endmacro %}


{% macro ids() %}
    {# The fields that say whose an event is. #}
    {% do return(['userId', 'anonymousId', 'groupId', 'previousId', 'context.groupId']) %}
{% endmacro %}


{% macro is_read_as_id(read, field) %}
    {% set is_text = field.read_as == 'varchar' or field.is_declared and field.read_as == 'json' %}
    {% do return(read and field.path in ids() and field.column_type == 'varchar' and is_text) %}
{% endmacro %}


{% macro unread_value(read, field) %}
    {# What the field's own column cannot read. #}
    {% do return(
        'case when ' ~ json_read_as(read, field.column_type) ~ ' is null then '
        ~ json_value_of(read, field.type, field.sibling_type) ~ ' end'
    ) %}
{% endmacro %}


{% macro clock_text(read, field) %}
    {% do return(read if field.read_as != 'json' else json_value_of(read, 'string', 'varchar')) %}
{% endmacro %}


{% macro sent_text(read, field) %}
    {% do return(read if field.read_as != 'json' else json_text(read)) %}
{% endmacro %}
