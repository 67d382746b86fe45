{#
    A user's table is computed before its transaction, beside loads, where the command says so:
    orchestration/models/beside.py.
#}

{% macro duckdb__create_table_as(
    temporary, relation, compiled_code, language='sql', partitioned_by=none, sorted_by=none
) %}
    {% set asked = {'compute': compiled_code} %}
    {% if language == 'sql' and is_users(model) %}
        {% do adapter.store_relation('plugin', this, [], '', '', asked) %}
    {% endif %}
    {% set query = 'select * from ' ~ asked.computed if asked.computed else compiled_code %}
    {{ return(dbt.duckdb__create_table_as(
        temporary, relation, query, language, partitioned_by=partitioned_by, sorted_by=sorted_by
    )) }}
{% endmacro %}


{% macro is_users(model) %}
    {# Whether a model is not ours, as orchestration/models/own_models.py has it. #}
    {% do return(
        model.package_name != 'seamline'
        or model.fqn[1] not in ['staging', 'segment', 'warehouse']
    ) %}
{% endmacro %}
