{% macro sync_new_files(relation) %}
    {#
        Bring to the disk what a model has written, before its commit: no power cut takes away what
        a table says it has. The plugin does it (orchestration/models/plugin.py).
    #}
    {{ return(adapter.dispatch('sync_new_files')(relation)) }}
{% endmacro %}

{% macro default__sync_new_files(relation) %}{% endmacro %}

{% macro duckdb__sync_new_files(relation) %}
    {% if execute %}
        {% do adapter.store_relation('plugin', relation, [], '', '', {}) %}
    {% endif %}
{% endmacro %}
