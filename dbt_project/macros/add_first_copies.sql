{% materialization incremental, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {#
        dbt-duckdb's own, but for an increment of a final table: that writes all columns of the new
        rows into a temporary table first, of which it wants three, and has the staging view planned
        twice. Here which copies are rows is found out in the raw table, and the view is read once.
    #}
    {%- set table = load_cached_relation(this) -%}
    {%- if not is_increment_of_first_copies(table) -%}
        {{ return(dbt.materialization_incremental_duckdb()) }}
    {%- endif -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- set copies = ref('stg_segment__' ~ model.name) -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- set new = api.Relation.create(identifier=this.identifier ~ '__new') -%}
    {%- set not_seen = where_not_seen(copies) -%}
    {#- else this process has seen to it already #}
    {%- if not is_as_placed() -%}
        {%- do process_schema_changes(config.get('on_schema_change'), copies, target) -%}
    {%- endif -%}
    {%- call statement('main') -%}
        create or replace temporary table {{ new }} as
        {{ first_received_copies(copies_of(model.name), not_seen) }};

        {{ delete_later_copies(target, new) }}

        insert into {{ target }} by name
        select copies.*
        from {{ copies }} as copies
        inner join {{ new }} as new
            on
                copies._seamline_file = new._seamline_file
                and copies._seamline_line = new._seamline_line
        {{ not_seen | replace('_seamline_load_id', 'copies._seamline_load_id') }}
    {%- endcall -%}
    {%- do persist_docs(target, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% macro is_increment_of_first_copies(table) %}
    {# Whether a final table gets the copies of new loads; a replay rewrites rows of old ones. #}
    {% do return(
        table is not none
        and table.is_table
        and model.name in calls()
        and not is_users(model)
        and not should_full_refresh()
        and not replayed_day()
    ) %}
{% endmacro %}
