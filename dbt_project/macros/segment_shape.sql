{#
    The same rows under the names of Segment Warehouses. columns.shown_column says which column has
    which name in which relation (orchestration/columns/segment_shape.py).
#}

{% macro shown(relation) %}
    {# [column, name there, its type, the type there] of a relation. #}
    {% set columns = [] %}
    {% if execute %}
        {% set query %}
            select column_name, name, column_type, type from {{ columns_table('shown_column') }}
            where relation = {{ sql_string(relation) }} order by place
        {% endset %}
        {% for row in run_query(query).rows %}
            {% do columns.append(row.values() | list) %}
        {% endfor %}
    {% endif %}
    {% do return(columns) %}
{% endmacro %}


{% macro shown_columns(relation, table=none, call=none) %}
    {#
        The columns of a relation as select expressions, `_` and not `__` between levels.

        table: what the relation selects from, if that is to be said; `names` stands beside it then
        call: whose name and category are looked for among the properties too
    #}
    {% set elsewhere = in_properties(call) if call in ['page', 'screen'] else {} %}
    {% set expressions = [] %}
    {% for column, name, _, _ in shown(relation) %}
        {% set value = (table ~ '.' if table else '') ~ adapter.quote(column) %}
        {% if elsewhere[column] %}
            {% set value = 'coalesce(' ~ ([value] + elsewhere[column]) | join(', ') ~ ')' %}
        {% endif %}
        {#- names beyond a source's budget have no relation, and stand as they were sent #}
        {% if name == 'event_text' %}
            {% do expressions.append('coalesce(names.relation, ' ~ value ~ ') as event') %}
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
            select path, column_name, column_type, sibling_name, sibling_type
            from {{ columns_table('placement') }}
            where table_name = {{ sql_string(call) }} and status = 'column'
                and path in ('properties.name', 'properties.category')
                and column_type <> 'json'
            order by place
        {% endset %}
        {% for row in run_query(query).rows %}
            {% for column, type in [row.values()[1:3], row.values()[3:5]] if column %}
                {% set text = as_type(adapter.quote(column), type, 'varchar') %}
                {% set texts = found[row[0].split('.')[1]] %}
                {% do texts.append(text) if text not in texts %}
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


{% macro latest_columns(relation, calls) %}
    {#
        The latest known value of each trait and context field: what a later call leaves out stays.
        A trait that came in several types has several columns in the relation of the calls, and is
        one here, as only that tells which came last.
    #}
    {% set names = {} %}
    {% for column, name, _, _ in shown(calls) %} {% do names.update({column: name}) %} {% endfor %}
    {% set values = {} %}
    {% for column, name, type, wanted in shown(relation) %}
        {% do values.setdefault(name, []).append([adapter.quote(names[column]), type, wanted]) %}
    {% endfor %}
    {% set expressions = [] %}
    {% for name, of_name in values.items() %}
        {% set value = of_name[0][0] %}
        {% if of_name | length > 1 %}
            {% set casts = [] %}
            {% for column, type, wanted in of_name %}
                {% do casts.append(as_type(column, type, wanted)) %}
            {% endfor %}
            {% set value = 'coalesce(' ~ casts | join(', ') ~ ')' %}
        {% endif %}
        {#- a comma behind each, as there may be none #}
        {% do expressions.append(latest_value(value) ~ ' as ' ~ adapter.quote(name) ~ ',') %}
    {% endfor %}
    {% do return(expressions | join('\n        ')) %}
{% endmacro %}


{% macro as_type(column, type, wanted) %}
    {# The values of a column of some type, as another type that holds them all. #}
    {% do return(
        number_as_text(column) if type == 'double' and wanted == 'varchar'
        else 'cast(' ~ column ~ ' as ' ~ wanted ~ ')'
    ) %}
{% endmacro %}


{% macro latest_value(column) %}
    {% do return(adapter.dispatch('latest_value')(column)) %}
{% endmacro %}

{% macro duckdb__latest_value(column) %}
    {# by receipt, as Segment's; nulls do not count #}
    {% do return('arg_max(' ~ column ~ ', (calls.received_at, calls.uuid_ts, calls.id))') %}
{% endmacro %}


{% macro event_relations() %}
    {#
        The query of a view set: a view per event name, with its rows and its properties. The
        warehouse puts it together, as there may be a thousand, each with a hundred columns.
    #}
    {% set column = quoted_name('column_name') %}
    {# as as_type(), in the warehouse #}
    {% set as_type %}
case
    when column_type = 'double' and type = 'varchar'
        then replace({{ sql_string(number_as_text('{}')) }}, '{}', {{ column }})
    when type = 'bigint' then 'try_cast(' || {{ column }} || ' as bigint)'
    else 'cast(' || {{ column }} || ' as ' || type || ')'
end
    {%- endset %}
    {% set rest %},
    _sdc_batched_at as uuid_ts,
    _sdc_batched_at as loaded_at
{#- without the database, as in create_view_as.sql, which dbt does not call for these #}
from {{ ref('track').include(database=false) }}
where event in ({% endset %}
with

columns as (

    {#- a property that came in several types has several columns, and is one here #}
    select
        relation,
        name,
        min(place) as place,
        case
            when count(*) = 1 and min(type) = min(column_type) then min({{ column }})
            when count(*) = 1 then min({{ as_type }})
            else 'coalesce(' || {{ dbt.listagg(as_type, "', '", 'order by place') }} || ')'
        end as expression
    from {{ source('columns', 'shown_column') }}
    group by relation, name

),

shown as (

    {#- the columns of `track`, of which each event has its own #}
    select
        relation,
        {{ dbt.listagg(
            "case when name = 'event_text' then " ~ quoted_text('relation') ~ " || ' as event, '"
            ~ " else '' end || expression || ' as ' || " ~ quoted_name('name'),
            "', '", 'order by place'
        ) }} as expressions
    from columns
    group by relation

),

named as (

    {#- `Signed Up` and `signed_up` are one relation #}
    select
        relation,
        min(event) as first_event,
        {{ dbt.listagg('event', "', '", 'order by event') }} as events,
        {{ dbt.listagg(quoted_text('event'), "', '", 'order by event') }} as texts
    from {{ source('columns', 'event_name') }}
    group by relation

)

select
    named.relation as name,
    'Events ' || named.events || '. One row per event.' as description,
    {{ sql_string('select\n    ') }} || shown.expressions || {{ sql_string(rest) }}
    || named.texts || ')' as definition
from named
inner join shown on named.relation = shown.relation
order by named.first_event
{% endmacro %}


{% macro quoted_text(column) %}
    {# What a column says, as a string in SQL that a query makes. #}
    {% do return("'''' || replace(" ~ column ~ ", '''', '''''') || ''''") %}
{% endmacro %}


{% macro quoted_name(column) %}
    {# Likewise, as a name. #}
    {% do return("'\"' || replace(" ~ column ~ ", '\"', '\"\"') || '\"'") %}
{% endmacro %}
