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
    {#
        Column -> comment, and the relation's own comment under ''. From the lake's own tables:
        duckdb_tables() and duckdb_columns() look at every table of the lake, 30 times as long.
    #}
    {% set lake = '__ducklake_metadata_' ~ relation.database %}
    {% set query %}
        with relation as (
            select schema_id, table_id as id, table_name as name
            from {{ lake }}.ducklake_table
            where end_snapshot is null
            union all
            select schema_id, view_id as id, view_name as name
            from {{ lake }}.ducklake_view
            where end_snapshot is null
        ),

        this as (
            select relation.id
            from relation
            inner join {{ lake }}.ducklake_schema as owner on relation.schema_id = owner.schema_id
            where
                owner.end_snapshot is null
                and owner.schema_name = '{{ relation.schema }}'
                and relation.name = '{{ relation.identifier }}'
        )

        select '' as column_name, tag.value
        from this
        inner join {{ lake }}.ducklake_tag as tag on this.id = tag.object_id
        where tag.end_snapshot is null and tag.key = 'comment'
        {% if with_columns %}
        union all
        select found.column_name, tag.value
        from this
        inner join {{ lake }}.ducklake_column as found on this.id = found.table_id
        inner join {{ lake }}.ducklake_column_tag as tag
            on found.table_id = tag.table_id and found.column_id = tag.column_id
        where
            found.parent_column is null
            and found.end_snapshot is null
            and tag.end_snapshot is null
            and tag.key = 'comment'
        {% endif %}
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
