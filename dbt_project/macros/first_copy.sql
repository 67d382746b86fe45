{#
    The rule of the final tables: one row per message_id, and the first received copy wins, of those
    sent with a secret if there are any.

    Which copy is first, `first_copy_order` in dbt_project.yml says, for Python too
    (orchestration/models/first_copy.py). When a copy's file was loaded does not matter, nor does any time
    in the event; late and out-of-order events are ordinary.

    An increment takes the copies of the loads that the table has not seen, the first of each
    message among them, and of those the ones that the table lacks or has a later copy of, which
    they replace. So a table built in increments is the table built in one go, row by row.

    A replay (`make replay DAY=…`) takes instead every copy of the messages that have one received
    on that day, and rewrites their rows; rows of the day that have no copy any more go.
#}

{% macro first_copies(call) %}
    {#- The query of a final model: of each message its first received copy. -#}
    {{ return(adapter.dispatch('first_copies')(call)) }}
{% endmacro %}

{% macro default__first_copies(call) %}
    {%- set copies = ref('stg_segment__' ~ call) -%}
    {%- set not_seen = where_not_seen(copies) -%}
with

copies as (

    select * from {{ copies }}
    {{ not_seen }}

),

first_copies as (

    {{ first_received_copies(copies, not_seen) }}

),

events as (

    {#- whole rows only here, for the few that are written #}
    select copies.*
    from copies
    inner join first_copies
        on
            copies._seamline_file = first_copies._seamline_file
            and copies._seamline_line = first_copies._seamline_line

)

select * from events
{% endmacro %}


{% macro first_received_copies(copies, not_seen) -%}
    {# The keys of the rows to write. Keys only: ranking whole rows takes twice the time. -#}
    select
        ranked.message_id,
        ranked._seamline_credential,
        ranked._sdc_sequence,
        ranked._seamline_file,
        ranked._seamline_line
    from (
        select
            message_id,
            _seamline_credential,
            _sdc_sequence,
            _seamline_file,
            _seamline_line,
            row_number() over (
                partition by message_id
                order by {{ first_copy_order('received') }}
            ) as place
        from {{ copies }} as received
        {{ not_seen }}
    ) as ranked
    {%- if is_incremental() and not replayed_day() %}
    left join {{ this }} as kept on ranked.message_id = kept.message_id
    {%- endif %}
    where
        ranked.place = 1
        {%- if is_incremental() and not replayed_day() %}
        {#- a row whose copy was received earlier stays; only an earlier copy replaces it #}
        and (kept.message_id is null or {{ is_before('ranked', 'kept') }})
        {%- endif %}
{%- endmacro %}


{% macro copies_of(call) %}
    {# Every received copy of a call, with what its place among the copies of its message goes by. #}
    {% set query %}
        (
            select
                message_id,
                {{ receipt_columns(is_in_ledger=false) }}
            from {{ raw_table(call) }}
            {{ loads_shown(call) }}
        )
    {% endset %}
    {% do return(query) %}
{% endmacro %}


{% macro where_not_seen(copies) -%}
    {# Whole loads by their number, which grows: an increment opens the files of new loads only. -#}
    {%- if is_incremental() and replayed_day() -%}
    where
        {# later loads are the next increment's -#}
        _seamline_load_id <= {{ highest_load_seen() }}
        and message_id in (
            select message_id from {{ copies }} where {{ is_of_replayed_day() }}
        )
    {%- elif is_incremental() -%}
    where _seamline_load_id > {{ highest_load_seen() }}
    {%- endif -%}
{%- endmacro %}


{% macro replayed_day() %}
    {# From the environment: another var would have dbt parse the whole project again, twice. #}
    {% do return(env_var('SEAMLINE_REPLAYED_DAY', '')) %}
{% endmacro %}


{% macro is_of_replayed_day() -%}
    cast(_sdc_received_at as date) = cast('{{ replayed_day() }}' as date)
{%- endmacro %}


{% macro highest_load_seen() %}
    {# Asked beforehand: a number is pushed down to every table of the view, a subquery is not. #}
    {% do return(adapter.dispatch('highest_load_seen')()) %}
{% endmacro %}

{% macro default__highest_load_seen() %}
    {% set query = 'select coalesce(max(_seamline_load_id), 0) from ' ~ this %}
    {% do return(run_query(query).rows[0][0] if execute else 0) %}
{% endmacro %}


{% macro first_copy_order(relation) -%}
    {#- what is null comes last, also where an engine has it first by itself #}
    {%- set order = var('first_copy_order') | join(' nulls last, ') ~ ' nulls last' -%}
    {{ order | replace('copy.', relation ~ '.') }}
{%- endmacro %}


{% macro is_before(one, other) -%}
    {#- as rows: the second expression counts where the first is equal, and so on #}
    {%- set ranks = [] -%}
    {%- for expression in var('first_copy_order') -%}
        {%- do ranks.extend([expression ~ ' is null', expression]) -%}
    {%- endfor -%}
    ({{ ranks | join(', ') | replace('copy.', one ~ '.') }})
        < ({{ ranks | join(', ') | replace('copy.', other ~ '.') }})
{%- endmacro %}


{% macro get_incremental_first_copy_wins_sql(arg_dict) %}
    {#
        The strategy behind `incremental_strategy: first_copy_wins`: delete and insert, in one
        transaction. A row that is replaced was received after the copy that replaces it, so the
        first delete opens only files with such rows: in the ordinary case none. Or it was sent with
        a public key, and what replaces it was not: those are the second's.
    #}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set new = arg_dict['temp_relation'] -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    {{ delete_later_copies(target, new) }}

    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ new }}
{% endmacro %}


{% macro delete_later_copies(target, new) -%}
    {# Delete the rows of messages of which there is an earlier copy now. -#}
    delete from {{ target }}
    where
        {% if replayed_day() -%}
        {#- all rows of the day: one whose every copy is gone has nothing that would replace it #}
        {{ is_of_replayed_day() }} or
        {%- else -%}
        _sdc_sequence >= (select min(_sdc_sequence) from {{ new }}) and
        {%- endif %}
        message_id in (select message_id from {{ new }});

    {% if not replayed_day() -%}
    delete from {{ target }}
    where
        _seamline_credential = 'browser'
        and message_id in (
            select message_id from {{ new }}
            where _seamline_credential is distinct from 'browser'
        );
    {%- endif %}
{%- endmacro %}
