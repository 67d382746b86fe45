{% macro fill_moved_columns() %}
    {#
        Columns that several fields shared in an earlier version: each of the fields has one of its
        own now, and the rows that are there get theirs from the payloads, once. What is to be
        filled, orchestration/columns/moved.py says. Before the increment, which is as now.
    #}
    {% set statements = [] %}
    {% if execute and model.name in calls() and not is_as_placed() %}
        {% set of_this = columns_table('to_fill') ~ " where schema_name = '" ~ this.schema
            ~ "' and call = '" ~ model.name ~ "'"
        %}
        {% set table = load_cached_relation(this) if not should_full_refresh() else none %}
        {% set names = run_query('select column_name from ' ~ of_this).columns[0].values() | list %}
        {% set types = {} %}
        {% set fields = placements(model.name) if names else [] %}
        {% for field in fields if field.table_name == model.name %}
            {% do types.update({
                field.column_name: field.column_type, field.sibling_name: field.sibling_type
            }) %}
        {% endfor %}
        {% set filled = [] %}
        {% for name in names if table is not none and name in types %}
            {% do filled.append(adapter.quote(name)) %}
            {% do statements.append(
                'alter table ' ~ this ~ ' add column if not exists ' ~ adapter.quote(name) ~ ' '
                ~ types[name]
            ) %}
        {% endfor %}
        {% if filled %}
            {% do statements.append(fill_from(ref('stg_segment__' ~ model.name), filled)) %}
        {% endif %}
        {% if names %} {% do statements.append('delete from ' ~ of_this) %} {% endif %}
    {% endif %}
    {% do return(statements | join(';\n')) %}
{% endmacro %}


{% macro is_as_placed() %}
    {#
        Whether this process has run the model since a field got another place: nothing is to be
        filled, and every comment is there. From the environment, as a replayed day is.
    #}
    {% do return(env_var('SEAMLINE_AS_PLACED', '') != '') %}
{% endmacro %}


{% macro fill_from(copies, columns) %}
    {# Give the rows of a final table some columns as their copies have them now. #}
    {% set values = [] %}
    {% set changed = [] %}
    {% for column in columns %}
        {% do values.append(column ~ ' = made.' ~ column) %}
        {% do changed.append('kept.' ~ column ~ ' is distinct from made.' ~ column) %}
    {% endfor %}
    {% set query %}
        update {{ this }} as kept
        set {{ values | join(', ') }}
        from {{ copies }} as made
        where
            kept._seamline_file = made._seamline_file
            and kept._seamline_line = made._seamline_line
            and ({{ changed | join(' or ') }})
    {% endset %}
    {% do return(query) %}
{% endmacro %}
