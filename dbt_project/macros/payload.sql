{#
    From JSON to columns. What differs by engine is dispatched; the rest is built on it.
#}

{% macro parse_payload(own_fields) %}
    {# The payload as one typed struct: the common fields, the clock readings, the call's own. #}
    {% set fields = read_fields(common_fields() ~ time_fields() ~ own_fields) %}
    {% do return(json_to_struct('payload', fields)) %}
{% endmacro %}


{% macro field_columns(fields) %}
    {# A column for each field of the struct that parse_payload made. #}
    {% set columns = [] %}
    {% for path, type in read_fields(fields) %}
        {% do columns.append(struct_field('fields', path, type) ~ ' as ' ~ column_name(path)) %}
    {% endfor %}
    {% do return(columns | join(',\n        ')) %}
{% endmacro %}


{% macro json_to_struct(json, fields) %}
    {#
        Reads the whole document once, however many fields are asked for.
        A value that does not fit its type is null, and so is everything below it.
    #}
    {% do return(adapter.dispatch('json_to_struct')(json, fields)) %}
{% endmacro %}

{% macro duckdb__json_to_struct(json, fields) %}
    {% set structure = {} %}
    {% for path, type in fields %}
        {% set keys = path.split('.') %}
        {% set level = namespace(of=structure) %}
        {% for key in keys[:-1] %}
            {% set level.of = level.of.setdefault(key, {}) %}
        {% endfor %}
        {% do level.of.update({keys[-1]: 'varchar' if type == 'timestamp' else type}) %}
    {% endfor %}
    {# try(): text that is no JSON at all is a row of nulls, not the end of the run #}
    {% do return("try(json_transform(" ~ json ~ ", '" ~ tojson(structure) ~ "'))") %}
{% endmacro %}


{% macro struct_field(struct, path, type) %}
    {% do return(adapter.dispatch('struct_field')(struct, path, type)) %}
{% endmacro %}

{% macro duckdb__struct_field(struct, path, type) %}
    {% set value = struct ~ '."' ~ path.split('.') | join('"."') ~ '"' %}
    {% if type == 'double' %}
        {# the text "NaN" fits a double, but sums and averages would not survive it #}
        {% set value = 'case when isfinite(' ~ value ~ ') then ' ~ value ~ ' end' %}
    {% endif %}
    {% do return(value) %}
{% endmacro %}
