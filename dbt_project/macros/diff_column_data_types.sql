{% macro duckdb__diff_column_data_types(source_columns, target_columns) %}
    {#
        What dbt's own says. That one looks through all columns for each, which with a hundred takes
        a tenth of the time of a model that brings a few rows.
    #}
    {% set known = {} %}
    {% for column in target_columns %}
        {% do known.setdefault(column.name, column) %}
    {% endfor %}
    {% set result = [] %}
    {% for new in source_columns if new.name in known %}
        {% set old = known[new.name] %}
        {% if new.expanded_data_type != old.expanded_data_type and not new.can_expand_to(old) %}
            {% do result.append({'column_name': old.name, 'new_type': new.expanded_data_type}) %}
        {% endif %}
    {% endfor %}
    {{ return(result) }}
{% endmacro %}
