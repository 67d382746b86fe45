{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) %}
    {#
        dbt's own writes every comment on each run, and commits. This one writes what the lake
        does not say yet, which on most runs is nothing.
    #}
    {% set is_wanted = for_relation and config.persist_relation_docs() %}
    {% set are_wanted = for_columns and config.persist_column_docs() %}
    {% set said = comments_on(relation) if is_wanted or are_wanted else {} %}
    {% if is_wanted and model.description and said.get('') != model.description %}
        {% do run_query(alter_relation_comment(relation, model.description)) %}
    {% endif %}
    {% set unsaid = {} %}
    {% for name, column in model.columns.items() if said.get(name) != column.description %}
        {% do unsaid.update({name: column}) %}
    {% endfor %}
    {% if are_wanted and unsaid %}
        {% do run_query(alter_column_comment(relation, unsaid)) %}
    {% endif %}
{% endmacro %}


{% macro comments_on(relation) %}
    {# Column -> comment, and the relation's own comment under ''. #}
    {% set query %}
        {% for function, kind, column in [
            ('duckdb_tables', 'table', "''"),
            ('duckdb_views', 'view', "''"),
            ('duckdb_columns', 'table', 'column_name'),
        ] %}
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
