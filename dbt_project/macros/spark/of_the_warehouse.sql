{#
    What only models ask that are not built on Spark (`+enabled` in dbt_project.yml). dbt reads those
    too before it leaves them out.
#}

{% macro of_the_warehouse() %}
    {% if execute %}
        {% do exceptions.raise_compiler_error(
            model.name ~ ' is of the warehouse alone, and is not built on Spark (docs/spark.md).'
        ) %}
    {% endif %}
    {% do return('null') %}
{% endmacro %}

{% macro spark__as_map(key, value) %} {% do return(of_the_warehouse()) %} {% endmacro %}
{% macro spark__bytes_as_text(bytes) %} {% do return(of_the_warehouse()) %} {% endmacro %}
{% macro spark__latest_value(column) %} {% do return(of_the_warehouse()) %} {% endmacro %}
{% macro spark__number_as_text(column) %} {% do return(of_the_warehouse()) %} {% endmacro %}
{% macro spark__said_by_event(payload) %} {% do return(of_the_warehouse()) %} {% endmacro %}
{% macro spark__seconds_between(first, second) %} {% do return(of_the_warehouse()) %} {% endmacro %}
{% macro spark__names_in(relation) %} {% do of_the_warehouse() %} {% do return([]) %} {% endmacro %}
{% macro spark__replaced_by_a_user(relation, names) %}
    {% do of_the_warehouse() %}
    {% do return([]) %}
{% endmacro %}
