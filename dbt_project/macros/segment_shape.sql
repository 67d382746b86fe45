{#
    The same rows under the names of Segment Warehouses. columns.shown_column says which column has
    which name in which relation (orchestration/columns/segment_shape.py).
#}

{% macro shown(relation) %}
    {# [column, name there] of a relation. #}
    {% set columns = [] %}
    {% if execute %}
        {% set query %}
            select column_name, name from {{ columns_table('shown_column') }}
            where relation = {{ sql_string(relation) }} order by place
        {% endset %}
        {% for row in run_query(query).rows %}
            {% do columns.append([row[0], row[1]]) %}
        {% endfor %}
    {% endif %}
    {% do return(columns) %}
{% endmacro %}


{% macro shown_columns(relation, table=none, call=none) %}
    {#
        The columns of a relation as select expressions, `_` and not `__` between levels.

        call: whose name and category are looked for among the properties too
    #}
    {% set elsewhere = in_properties(call) if call in ['page', 'screen'] else {} %}
    {% set expressions = [] %}
    {% for column, name in shown(relation) %}
        {% set value = (table ~ '.' if table else '') ~ adapter.quote(column) %}
        {% if elsewhere[column] %}
            {% set value = 'coalesce(' ~ ([value] + elsewhere[column]) | join(', ') ~ ')' %}
        {% endif %}
        {% do expressions.append(value ~ ' as ' ~ adapter.quote(name)) %}
    {% endfor %}
    {% do return(expressions | join(',\n        ')) %}
{% endmacro %}


{% macro in_properties(call) %}
    {# Column → the columns of the property of that name, whatever type it came in: some
       senders have name and category there alone, and Segment Warehouses has one column of each. #}
    {% set found = {'name': [], 'category': []} %}
    {% if execute %}
        {% set query %}
            select path, column_name, sibling_name from {{ columns_table('placement') }}
            where table_name = {{ sql_string(call) }} and status = 'column'
                and path in ('properties.name', 'properties.category')
                and column_type <> 'json'
            order by place
        {% endset %}
        {% for row in run_query(query).rows %}
            {% for column in row.values()[1:] if column %}
                {% do found[row[0].split('.')[1]].append(
                    'cast(' ~ adapter.quote(column) ~ ' as varchar)'
                ) %}
            {% endfor %}
        {% endfor %}
    {% endif %}
    {% do return(found) %}
{% endmacro %}


{% macro relation_of(call, relation) %}
    {#- The query of a relation that shows a call's rows as they are. -#}
with

events as (

    select * from {{ ref(call) }}

),

renamed as (

    select
        {{ shown_columns(relation, call=call) }},
        _sdc_batched_at as uuid_ts,
        _sdc_batched_at as loaded_at
    from events

)

select * from renamed
{% endmacro %}


{% macro latest_columns(relation) %}
    {# The latest known value of each trait and context field: what a later call leaves out stays. #}
    {% set expressions = [] %}
    {% for column, name in shown(relation) if column.startswith(('traits__', 'context__')) %}
        {% set quoted = adapter.quote(name) %}
        {% do expressions.append(latest_value(quoted) ~ ' as ' ~ quoted) %}
    {% endfor %}
    {% do return(expressions | join(',\n        ')) %}
{% endmacro %}


{% macro latest_value(column) %}
    {% do return(adapter.dispatch('latest_value')(column)) %}
{% endmacro %}

{% macro duckdb__latest_value(column) %}
    {# by receipt, as Segment's; nulls do not count #}
    {% do return('arg_max(' ~ column ~ ', (received_at, uuid_ts, calls.id))') %}
{% endmacro %}


{% macro event_relations() %}
    {# [name, description, definition] of a view per event name: its rows, its properties. #}
    {% set events = {} %}
    {% if execute %}
        {% set query %}
            select relation, event, slug from {{ columns_table('event_name') }} order by event
        {% endset %}
        {% for row in run_query(query).rows %}
            {# `Signed Up` and `signed_up` are one relation #}
            {% do events.setdefault(row[0], {'slug': row[2], 'names': []}) %}
            {% do events[row[0]]['names'].append(row[1]) %}
        {% endfor %}
        {% set columns = {} %}
        {% set query %}
            select relation, column_name, name from {{ columns_table('shown_column') }}
            where relation in (select relation from {{ columns_table('event_name') }})
            order by place
        {% endset %}
        {% for row in run_query(query).rows %}
            {% do columns.setdefault(row[0], []).append(
                adapter.quote(row[1]) ~ ' as ' ~ adapter.quote(row[2])
            ) %}
        {% endfor %}
    {% endif %}
    {% set views = [] %}
    {% for relation, event in events.items() %}
        {% set names = [] %}
        {% for name in event.names %}
            {% do names.append(sql_string(name)) %}
        {% endfor %}
        {% set definition %}
select
    {{ columns[relation] | join(', ') }},
    {{ sql_string(event.slug) }} as event,
    event as event_text,
    _sdc_batched_at as uuid_ts,
    _sdc_batched_at as loaded_at
{#- without the database, as in create_view_as.sql, which dbt does not call for these #}
from {{ ref('track').include(database=false) }}
where event in ({{ names | join(', ') }})
        {% endset %}
        {% do views.append([
            relation, 'Events ' ~ event.names | join(', ') ~ '. One row per event.', definition | trim
        ]) %}
    {% endfor %}
    {% do return(views) %}
{% endmacro %}
