{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) %}
    {#
        dbt's own writes every comment on each run, and commits. This one writes what the lake
        does not say yet, which on most runs is nothing.
    #}
    {% set is_wanted = for_relation and config.persist_relation_docs() %}
    {% set are_wanted = for_columns and config.persist_column_docs() %}
    {% set said = comments_on(relation, are_wanted) if is_wanted or are_wanted else {} %}
    {% if is_wanted and model.description and said.get('') != model.description %}
        {% do run_query(alter_relation_comment(relation, model.description)) %}
    {% endif %}
    {% set wanted = {} %}
    {% for name, column in model.columns.items() %}
        {% do wanted.update({name: column.description}) %}
    {% endfor %}
    {% if are_wanted %}
        {% do wanted.update(descriptions_of_found(model)) %}
    {% endif %}
    {% set unsaid = {} %}
    {% for name, description in wanted.items() if said.get(name) != description %}
        {% do unsaid.update({name: {'description': description, 'quote': true}}) %}
    {% endfor %}
    {% if are_wanted and unsaid %}
        {% do run_query(alter_column_comment(relation, unsaid)) %}
    {% endif %}
{% endmacro %}


{% macro duckdb_escape_comment(comment) %}
    {# A comment may hold what a sender sent; dbt-duckdb's own way refuses some of it. #}
    {% do return(sql_string(comment)) %}
{% endmacro %}


{% macro comments_on(relation, with_columns) %}
    {# Column -> comment, and the relation's own comment under ''. #}
    {% set places = [('duckdb_tables', 'table', "''"), ('duckdb_views', 'view', "''")] %}
    {% if with_columns %}
        {% do places.append(('duckdb_columns', 'table', 'column_name')) %}
    {% endif %}
    {% set query %}
        {% for function, kind, column in places %}
        select {{ column }}, comment
        from {{ function }}()
        where
            database_name = '{{ relation.database }}'
            and schema_name = '{{ relation.schema }}'
            and {{ kind }}_name = '{{ relation.identifier }}'
        {{ 'union all' if not loop.last }}
        {% endfor %}
    {% endset %}
    {% set comments = {} %}
    {% for row in run_query(query) %}
        {% do comments.update({row[0]: row[1]}) %}
    {% endfor %}
    {% do return(comments) %}
{% endmacro %}


{% macro descriptions_of_found(model) %}
    {# Column -> where in the event its values stand, for what no page describes. #}
    {% set found = {} %}
    {% for field in placements(model.name) if field.table_name == model.name and field.type %}
        {% if field.sibling_name %}
            {% do found.setdefault(
                field.sibling_name, 'What of ' ~ field.path ~ ' is no ' ~ field.column_type ~ '.'
            ) %}
        {% endif %}
        {% if field.column_name and field.column_name not in model.columns %}
            {% do found.setdefault(
                field.column_name, 'Found in the events at ' ~ field.path ~ ', as ' ~ field.type
                ~ '.' ~ (' Hashed.' if field.is_hashed else '')
            ) %}
        {% endif %}
    {% endfor %}
    {% do return(found) %}
{% endmacro %}
