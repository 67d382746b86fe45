{% macro put_rules_in_force() %}
    {#
        The rules by which a final table is built anew are in force from its exchange on, in the same
        transaction (orchestration/columns/in_force.py): with half of it done there are the old ones.
    #}
    {% if execute and should_full_refresh() and model.name in calls() %}
        {% set update %}
            update {{ columns_table('rules') }} set rules = coming, coming = null
            where call = '{{ model.name }}' and coming is not null
        {% endset %}
        {% do return(update) %}
    {% endif %}
{% endmacro %}
