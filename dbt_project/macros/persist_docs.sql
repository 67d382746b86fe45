{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) %}
    {#
        dbt's own writes every comment on each run, and commits. This one writes what the lake
        does not say yet, which on most runs is nothing. A view's columns can have no comments.
    #}
    {% set is_wanted = for_relation and config.persist_relation_docs() %}
    {% set are_wanted = for_columns and config.persist_column_docs() and not relation.is_view %}
    {% if is_kept(model) and is_as_placed() %} {{ return('') }} {% endif %}
    {% set is_asked = (is_wanted or are_wanted) and is_kept(model) %}
    {% set said = comments_on(relation, are_wanted) if is_asked else {} %}
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


{% macro is_kept(model) %}
    {# Whether this run adds to a table that was there; what is rebuilt says nothing yet. #}
    {% set materialized = model.config.materialized %}
    {% do return(
        materialized == 'view_set' or (materialized == 'incremental' and not should_full_refresh())
    ) %}
{% endmacro %}


{% macro comments_on(table, with_columns) %}
    {#
        Column -> comment, and the table's own comment under ''. From the lake's own tables, which
        do not have what an open transaction made: duckdb_tables() and duckdb_columns() have, but
        they have every table of the lake loaded for it, and take 30 times as long.
    #}
    {% set lake = '__ducklake_metadata_' ~ table.database %}
    {% set query %}
        with this as (
            select known.table_id
            from {{ lake }}.ducklake_table as known
            inner join {{ lake }}.ducklake_schema as owner on known.schema_id = owner.schema_id
            where
                known.end_snapshot is null
                and owner.end_snapshot is null
                and owner.schema_name = '{{ table.schema }}'
                and known.table_name = '{{ table.identifier }}'
        )

        select '' as column_name, tag.value
        from this
        inner join {{ lake }}.ducklake_tag as tag on this.table_id = tag.object_id
        where tag.end_snapshot is null and tag.key = 'comment'
        {% if with_columns %}
        union all
        select found.column_name, tag.value
        from this
        inner join {{ lake }}.ducklake_column as found on this.table_id = found.table_id
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
