{#
    The final tables on Spark: Parquet, a partition for each day of receipt
    (`seamline_received_date`), of which an increment writes those that change.

    What a table has had is one of its properties, set behind what was written: `seamline.load_id`.
    It is taken away before partitions are exchanged, as that is many steps, and a table without it
    is built anew: a run that dies half way leaves nothing that would be taken for whole. A table is
    built anew too where rows that are there would come out otherwise (`seamline.made_by`,
    orchestration/export/raw.py), and where it has a column that there is no more.

    What is only here has names that senders cannot have (orchestration/columns/placing.py).
#}

{% materialization incremental, adapter='spark', supported_languages=['sql', 'python'] %}
    {%- if model.name not in calls() or is_users(model) -%}
        {{ return(dbt.materialization_incremental_spark()) }}
    {%- endif -%}
    {%- set exported = exported_of(model.name) -%}
    {%- if not run_query("show views like '" ~ copies_view(model.name) ~ "'").rows -%}
        {%- do create_copies_view(model.name, staged_copies(model.name)) -%}
    {%- endif -%}
    {%- set table = load_cached_relation(this) -%}
    {%- set seen = properties_of(table) if table is not none and table.is_table else {} -%}
    {%- set is_kept = 'seamline.load_id' in seen and not should_full_refresh()
        and seen['seamline.made_by'] == exported.made_by
        and not has_other_columns(table, model.name) -%}
    {%- if not is_kept -%}
        {%- do build_anew(table, sql, exported) -%}
    {%- elif (seen['seamline.load_id'] | int) < exported.load_id -%}
        {%- do add_new_columns(table, model.name) -%}
        {%- do add_new_copies(table, model.name, seen['seamline.load_id'] | int, exported) -%}
    {%- else -%}
        {%- do add_new_columns(table, model.name) -%}
    {%- endif -%}
    {%- call noop_statement('main', 'OK') -%} {%- endcall -%}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}


{% materialization lasting_view, adapter='spark' %}
    {#
        A view. Those of received copies are there for the length of the run, for the tables that
        read them: a metastore may not hold so long a text.
    #}
    {%- set view = this.incorporate(type='view') -%}
    {%- if model.fqn[1] == 'staging' -%}
        {%- do create_copies_view(model.name | replace('stg_segment__', ''), sql) -%}
        {%- call noop_statement('main', 'FOR THIS RUN') -%} {%- endcall -%}
        {{ return({'relations': []}) }}
    {%- endif -%}
    {%- call statement('main') -%} {{ get_create_view_as_sql(view, sql) }} {%- endcall -%}
    {{ return({'relations': [view]}) }}
{% endmaterialization %}


{% macro spark__first_copies(call) %}
    {#- for dbt, so that it knows what the model reads -#}
    {%- do ref('stg_segment__' ~ call) -%}
with

first_copies as (

    {{ new_first_copies(call) }}

)

select copies.*, cast(_sdc_received_at as date) as seamline_received_date
from {{ copies_view(call) }} as copies
left semi join first_copies
    on
        copies._seamline_file = first_copies._seamline_file
        and copies._seamline_line = first_copies._seamline_line
{% endmacro %}


{% macro copies_view(call) %}
    {# Every received copy, typed: a view of this run's. #}
    {% do return('stg_segment__' ~ call ~ '__' ~ invocation_id[:8]) %}
{% endmacro %}


{% macro create_copies_view(call, query) %}
    {% do run_query('create temporary view ' ~ copies_view(call) ~ ' as ' ~ query) %}
{% endmacro %}


{% macro exported_of(call) %}
    {# What the export says of a call: up to which load it is there, and what its rows are made by. #}
    {% set query %}
        select load_id, made_by from {{ columns_table('exported') }} where call = '{{ call }}'
    {% endset %}
    {% set row = run_query(query).rows[0] %}
    {% do return({'load_id': row[0] | int, 'made_by': row[1]}) %}
{% endmacro %}


{% macro properties_of(table) %}
    {% set properties = {} %}
    {% for row in run_query('show tblproperties ' ~ table).rows %}
        {% do properties.update({row[0]: row[1]}) %}
    {% endfor %}
    {% do return(properties) %}
{% endmacro %}


{% macro properties_now(exported) -%}
    'seamline.load_id' = '{{ exported.load_id }}', 'seamline.made_by' = '{{ exported.made_by }}'
{%- endmacro %}


{% macro build_anew(table, query, exported) %}
    {# Beside the old one, which is there until then. #}
    {% set new = this.incorporate(path={'identifier': new_name()}, type='table') %}
    {% do create_empty(new) %}
    {% do run_query('insert into ' ~ new ~ ' ' ~ query) %}
    {% do run_query(
        'alter table ' ~ new ~ ' set tblproperties (' ~ properties_now(exported) ~ ')'
    ) %}
    {% if table is not none %}
        {% do run_query('drop ' ~ ('view ' if table.is_view else 'table ') ~ table) %}
    {% endif %}
    {% do remove_left_over(this) %}
    {% do run_query('alter table ' ~ new ~ ' rename to ' ~ this) %}
{% endmacro %}


{% macro create_empty(table) %}
    {#
        A table like the final one, without rows. Not `create table as`: that writes files before
        there is a table, and where it is killed they keep the next run from the place.
    #}
    {% set columns = [] %}
    {% for name, type in types_in(copies_view(model.name)).items() %}
        {% do columns.append(adapter.quote(name) ~ ' ' ~ type) %}
    {% endfor %}
    {% do run_query('drop table if exists ' ~ table) %}
    {% do remove_left_over(table) %}
    {% set create %}
        create table {{ table }} ({{ columns | join(', ') }}, seamline_received_date date)
        using parquet partitioned by (seamline_received_date)
        {{ comment_clause() }}
    {% endset %}
    {% do run_query(create) %}
{% endmacro %}


{% macro remove_left_over(table) %}
    {#
        Remove the files of a table that is no more, which a run has left that died while it was
        dropped: Spark makes none in their place. No statement removes files by themselves, but what
        is dropped with a partition lies wherever that is said to be.
    #}
    {% set partition = table.incorporate(path={'identifier': '_seamline_left_over'}) %}
    {% do run_query('drop table if exists ' ~ partition) %}
    {% do run_query(
        'create table ' ~ partition ~ ' (file string, place int) using parquet partitioned by (place)'
    ) %}
    {% for row in run_query('describe schema ' ~ table.schema).rows if row[0] == 'Location' %}
        {% do run_query(
            'alter table ' ~ partition ~ ' add partition (place = 1) location '
            ~ spark_string(row[1] ~ '/' ~ table.identifier)
        ) %}
        {% do run_query('alter table ' ~ partition ~ ' drop partition (place = 1)') %}
    {% endfor %}
    {% do run_query('drop table ' ~ partition) %}
{% endmacro %}


{% macro types_in(relation) %}
    {# Column -> its type, in the order of the columns. #}
    {% set types = {} %}
    {% for row in run_query('describe ' ~ relation).rows if row[0] and not row[0].startswith('#') %}
        {% do types.update({row[0]: row[1]}) %}
    {% endfor %}
    {% do return(types) %}
{% endmacro %}


{% macro has_other_columns(table, call) %}
    {# Whether a table has a column that the copies do not have, or have of another type. #}
    {% set wanted = types_in(copies_view(call)) %}
    {% do wanted.update({'seamline_received_date': 'date'}) %}
    {% for name, type in types_in(table).items() if wanted.get(name) != type %}
        {% do return(true) %}
    {% endfor %}
    {% do return(false) %}
{% endmacro %}


{% macro new_name() %}
    {# What a table that is being built is called, and the copies that an increment has found. #}
    {% do return('_seamline_new_' ~ this.identifier) %}
{% endmacro %}


{% macro add_new_columns(table, call) %}
    {% set there = types_in(table) %}
    {% set new = [] %}
    {% for name, type in types_in(copies_view(call)).items() if name not in there %}
        {% do new.append(adapter.quote(name) ~ ' ' ~ type) %}
    {% endfor %}
    {% if new %}
        {% do run_query('alter table ' ~ table ~ ' add columns (' ~ new | join(', ') ~ ')') %}
    {% endif %}
{% endmacro %}


{% macro add_new_copies(table, call, seen, exported) %}
    {# The copies of the loads that the table has not had, and the days in which they change it. #}
    {% set new = this.incorporate(path={'identifier': new_name()}, type='table') %}
    {% set columns = get_quoted_csv(types_in(copies_view(call)).keys() | list) %}
    {% do create_empty(new) %}
    {% set insert %}
        insert into {{ new }}
        with first_copies as (
            {{ new_first_copies(call, seen) }}
        )

        select copies.*, cast(_sdc_received_at as date) as seamline_received_date
        from {{ copies_view(call) }} as copies
        left semi join first_copies
            on
                copies._seamline_file = first_copies._seamline_file
                and copies._seamline_line = first_copies._seamline_line
        where copies._seamline_load_id > {{ seen }}
    {% endset %}
    {% do run_query(insert) %}
    {% set is_new = 'message_id in (select message_id from ' ~ new ~ ')' %}
    {% set days_query %}
        with changed as (
            select distinct seamline_received_date from {{ new }}
            union
            select distinct seamline_received_date from {{ table }} where {{ is_new }}
        ),

        left_over as (
            select distinct seamline_received_date from {{ table }}
            left anti join {{ new }} as new using (message_id)
            where seamline_received_date in (select seamline_received_date from changed)
            union
            select distinct seamline_received_date from {{ new }}
        )

        select
            cast(changed.seamline_received_date as string) as day,
            left_over.seamline_received_date is null as is_emptied
        from changed
        left join left_over on changed.seamline_received_date = left_over.seamline_received_date
    {% endset %}
    {% set days = [] %}
    {% set emptied = [] %}
    {% for row in run_query(days_query).rows %}
        {% do days.append("date '" ~ row[0] ~ "'") %}
        {% if row[1] %} {% do emptied.append(row[0]) %} {% endif %}
    {% endfor %}
    {% if days %}
        {% do run_query('alter table ' ~ table ~ " unset tblproperties ('seamline.load_id')") %}
        {% set overwrite %}
            insert overwrite table {{ table }} partition (seamline_received_date)
            ({{ columns }}, seamline_received_date)
            select {{ columns }}, seamline_received_date from {{ table }} as kept
            left anti join {{ new }} as new on kept.message_id = new.message_id
            where seamline_received_date in ({{ days | join(', ') }})
            union all
            select {{ columns }}, seamline_received_date from {{ new }}
        {% endset %}
        {% do run_query(overwrite) %}
        {% for day in emptied %}
            {% do run_query(
                'alter table ' ~ table ~ " drop if exists partition (seamline_received_date = '"
                ~ day ~ "')"
            ) %}
        {% endfor %}
    {% endif %}
    {% do run_query(
        'alter table ' ~ table ~ ' set tblproperties (' ~ properties_now(exported) ~ ')'
    ) %}
    {% do run_query('drop table ' ~ new) %}
{% endmacro %}


{% macro new_first_copies(call, seen=none) -%}
    {#-
        Of each message its first copy. Behind a load that the table has seen: of those received
        since, and where the table lacks the message or has a later copy.
    -#}
    select ranked._seamline_file, ranked._seamline_line
    from (
        select
            *,
            row_number() over (
                partition by message_id
                order by {{ first_copy_order('received') }}
            ) as place
        from {{ copies_of(call) }} as received
        {% if seen is not none %} where _seamline_load_id > {{ seen }} {% endif %}
    ) as ranked
    {% if seen is not none -%}
    left join {{ this }} as kept on ranked.message_id = kept.message_id
    {%- endif %}
    where
        ranked.place = 1
        {% if seen is not none -%}
        and (kept.message_id is null or {{ is_before('ranked', 'kept') }})
        {%- endif %}
{%- endmacro %}
