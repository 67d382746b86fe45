{% macro add_lacking_columns() %}
    {#
        Which copy is the row is asked of the table as it is, before an increment appends the columns
        that the query has beyond it. So a table of a version that did not have this one gets it here.
    #}
    {% set is_wanted = execute and not should_full_refresh() and not is_as_placed() %}
    {% set table = load_cached_relation(this) if is_wanted else none %}
    {% if table is not none and table.is_table and model.name in calls() %}
        {% set there = adapter.get_columns_in_relation(table) | map(attribute='name') | list %}
        {% if '_seamline_credential' not in there %}
            {% do return('alter table ' ~ table ~ ' add column _seamline_credential varchar') %}
        {% endif %}
    {% endif %}
{% endmacro %}
