{% macro refuse_to_lose_columns() %}
    {#
        A full refresh rebuilds a final table. Columns that a user has added to it are in no file,
        so it is refused while there are some: those that no page describes, that no field has, and
        that have not the comment of a field which columns.yml has left out since.
    #}
    {% set table = load_cached_relation(this) if execute and should_full_refresh() else none %}
    {% if table is not none and table.is_table and model.name in calls() %}
        {% set ours = model.columns.keys() | list %}
        {% for field in placements(model.name) if field.table_name == model.name %}
            {% do ours.extend([field.column_name, field.sibling_name]) %}
        {% endfor %}
        {% set said = comments_on(table, true) %}
        {% set users = [] %}
        {% for column in adapter.get_columns_in_relation(table) if column.name not in ours %}
            {# these words are descriptions_of_found()'s: a column that we made, of a field left out since #}
            {% if not said.get(column.name, '').startswith(('Found in the events at ', 'What of ')) %}
                {% do users.append(column.name) %}
            {% endif %}
        {% endfor %}
        {% if users %}
            {% do exceptions.raise_compiler_error(
                'In ' ~ table.schema ~ '.' ~ table.identifier ~ ' these columns are yours, and no file '
                ~ 'has them: ' ~ users | join(', ') ~ '. Nothing was changed. Copy what you need to a '
                ~ 'table of your own, drop them, and run it again.'
            ) %}
        {% endif %}
    {% endif %}
{% endmacro %}
