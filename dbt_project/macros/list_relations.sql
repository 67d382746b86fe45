{% macro duckdb__list_relations_without_caching(schema_relation) %}
    {#
        As dbt's own, which for each schema has DuckDB work out the size of every table there is, ten
        times as long. So a lake is asked for its own tables; any other database is dbt's.
    #}
    {% if not adapter.is_ducklake(schema_relation) %}
        {{ return(dbt.duckdb__list_relations_without_caching(schema_relation)) }}
    {% endif %}
    {% set lake = adapter.quote('__ducklake_metadata_' ~ schema_relation.database) %}
    {% call statement('list_relations_without_caching', fetch_result=True) %}
        {% for kind in ['table', 'view'] %}
            select
                '{{ schema_relation.database }}' as database,
                known.{{ kind }}_name as name,
                owner.schema_name as schema,
                '{{ kind }}' as type
            from {{ lake }}.ducklake_{{ kind }} as known
            inner join {{ lake }}.ducklake_schema as owner on known.schema_id = owner.schema_id
            where
                known.end_snapshot is null
                and owner.end_snapshot is null
                and lower(owner.schema_name) = '{{ schema_relation.schema | lower }}'
            {% if not loop.last %}union all{% endif %}
        {% endfor %}
    {% endcall %}
    {{ return(load_result('list_relations_without_caching').table) }}
{% endmacro %}


{% macro duckdb__list_schemas(database) %}
    {#
        dbt's own looks for the lake's name with its quotes, finds no schema of it, and has each made
        again; and it has DuckDB load all that the lake has.
    #}
    {% if not adapter.is_ducklake(api.Relation.create(database=database | replace('"', ''))) %}
        {{ return(dbt.duckdb__list_schemas(database)) }}
    {% endif %}
    {% set lake = adapter.quote('__ducklake_metadata_' ~ database | replace('"', '')) %}
    {% set query %}
        select owner.schema_name
        from {{ lake }}.ducklake_schema as owner
        where owner.end_snapshot is null
    {% endset %}
    {{ return(run_query(query)) }}
{% endmacro %}
