{#
    JSON on Spark. Its functions write numbers in Java's words and do not tell the text "1" from the
    number 1, so a document is tagged before it is parsed: every string, and every key, gets an `s`
    in front, and every number becomes a string with an `n` in front. What is read of it is a value:

        stext, n1.5, true, false, {...} or [...] with what is in them tagged, or null

    The documents are as DuckDB writes them (orchestration/export/raw.py), so the digits of a number
    and the text of an object are the same on both engines.
#}

{% macro spark__without_nul(json) %}
    {#- a document, tagged; an element of an array is a value already -#}
    {%- if json == 'element' -%} {%- do return(json) -%} {%- endif -%}
    {#- an escaped backslash in front of `u0000` is none of it: set aside, as no JSON has a chr(1) -#}
    {%- set apart = "replace(" ~ json ~ ", r'\\\\', chr(1))" -%}
    {%- set cleaned = "replace(" ~ apart ~ ", r'\\u0000', r'\\ufffd')" -%}
    {%- do return(tagged(
        "case when contains(" ~ json ~ ", r'\\u0000') then replace(" ~ cleaned
        ~ ", chr(1), r'\\\\') else " ~ json ~ " end"
    )) -%}
{% endmacro %}


{% macro tagged(document) %}
    {#
        A number is put between chr(1) and chr(2), which no JSON has, and so is nothing behind each
        string, as the two are found by one expression. Possessive: Java's stack would not last for
        a long string otherwise.
    #}
    {% set string = '"([^"\\\\]*+(?:\\\\.[^"\\\\]*+)*+")' %}
    {% set number = '(-?[0-9][0-9.eE+-]*+)' %}
    {% set found = "regexp_replace(" ~ document ~ ", r'(\")([^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+\")|"
        ~ number ~ "', concat('$1', chr(3), '$2', chr(1), '$3', chr(2)))"
    %}
    {#- of a string: " 3 text" 1 2; of a number: 3 1 number 2 #}
    {% set numbers = "replace(" ~ found ~ ", concat(chr(3), chr(1)), '\"n')" %}
    {% set strings = "replace(replace(" ~ numbers ~ ", concat(chr(1), chr(2)), ''), chr(3), 's')" %}
    {% do return("replace(" ~ strings ~ ", chr(2), '\"')") %}
{% endmacro %}


{% macro untagged(value) %}
    {# The document that an object or array among values was. A quote in a text has a backslash. #}
    {% set document = "regexp_replace(regexp_replace(" ~ value
        ~ ", r'(?<!\\\\)\"n([^\"]*+)\"', '$1'), r'(?<!\\\\)\"s', '\"')"
    %}
    {% do return(
        "case when contains(" ~ value ~ ", r'\\uD') then " ~ without_surrogates(document) ~ " else "
        ~ document ~ " end"
    ) %}
{% endmacro %}


{% macro without_surrogates(document) %}
    {#
        Spark writes what is beyond 16 bits as two escapes, DuckDB as it is. So the document is read
        once more, as a text in which these are the only escapes: all others get a backslash more.
    #}
    {% set apart = "replace(" ~ document ~ ", r'\\\\', chr(1))" %}
    {% set quoted = "replace(replace(" ~ apart ~ ", r'\\', r'\\\\'), '\"', r'\\\"')" %}
    {% set escaped = "regexp_replace(" ~ quoted
        ~ ", r'\\\\\\\\(uD[89AB][0-9A-F]{2})\\\\\\\\(uD[C-F][0-9A-F]{2})', r'\\\\$1\\\\$2')"
    %}
    {% do return(
        "from_json(concat('[\"', replace(" ~ escaped ~ ", chr(1), r'\\\\\\\\'), '\"]'), "
        ~ "'array<string>')[0]"
    ) %}
{% endmacro %}


{% macro value_text(value) %}
    {# What is behind the tag of a text or a number. #}
    {% do return("substr(" ~ value ~ ", 2)") %}
{% endmacro %}


{% macro kind_of(value) %}
    {# The first letter of a value: s, n, t, f, { or [. #}
    {% do return("left(" ~ value ~ ", 1)") %}
{% endmacro %}


{% macro spark__read_paths(fields, json) %}
    {#
        As the default (macros/payload.sql). What is read as text or as a fraction is so for all
        fields by one expression, as Spark takes seconds to plan a hundred long ones.
    #}
    {% set document = spark__without_nul(json) %}
    {% set together = {} %}
    {% set apart = {} %}
    {% set lists = {'varchar': [], 'double': []} %}
    {% set expressions = {} %}
    {% for field in fields if field.read_as and field.path not in expressions %}
        {% if not field['keys'] %}
            {% do expressions.update({field.path: document}) %}
        {% else %}
            {% if field.is_apart %}
                {% do apart.update({field.path: field['keys']}) %}
                {% set value = 'others[' ~ (apart | length - 1) ~ ']' %}
            {% else %}
                {% do together.update({field.path: field['keys']}) %}
                {% set value = struct_path('fields', field['keys']) %}
            {% endif %}
            {% if field.read_as in lists %}
                {% set list = lists[field.read_as] %}
                {% do list.append(value) %}
                {% set value = 'as_' ~ field.read_as ~ '[' ~ (list | length - 1) ~ ']' %}
            {% elif field.read_as != 'json' %}
                {% set value = value_as(value, field.read_as) %}
            {% endif %}
            {% do expressions.update({field.path: value}) %}
        {% endif %}
    {% endfor %}
    {% set parsed = [] %}
    {% if together or apart %}
        {% do parsed.append(document ~ ' as document') %}
    {% endif %}
    {% if together %}
        {% do parsed.append(parsed_document(json, together.values()) ~ ' as fields') %}
    {% endif %}
    {% if apart %}
        {# each for itself: those that are apart are so as one leads to another #}
        {% set values = [] %}
        {% for keys in apart.values() %}
            {% do values.append(struct_path(parsed_document(json, [keys]), keys)) %}
        {% endfor %}
        {% do parsed.append('array(' ~ values | join(', ') ~ ') as others') %}
    {% endif %}
    {% for type, values in lists.items() if values %}
        {% do parsed.append(
            'transform(array(' ~ values | join(', ') ~ '), value -> ' ~ value_as('value', type)
            ~ ') as as_' ~ type
        ) %}
    {% endfor %}
    {% do return({'parsed': parsed, 'expressions': expressions}) %}
{% endmacro %}


{% macro parsed_document(json, paths) %}
    {# Keys may be anything, so the fields have names of their own: by place, cast behind the parse. #}
    {% set structure = {} %}
    {% for keys in paths %}
        {% set level = namespace(of=structure) %}
        {% for key in keys[:-1] %}
            {% set level.of = level.of.setdefault(key, {}) %}
        {% endfor %}
        {% do level.of.update({keys[-1]: none}) %}
    {% endfor %}
    {# an element of an array need be no object #}
    {% set object = "case when left(document, 1) = '{' then document end" %}
    {% do return(
        'cast(from_json(' ~ (object if json == 'element' else 'document') ~ ', '
        ~ spark_string(tojson(spark_schema(structure))) ~ ') as ' ~ named_struct_type(structure) ~ ')'
    ) %}
{% endmacro %}


{% macro spark_schema(structure) %}
    {% set fields = [] %}
    {% for key, below in structure.items() %}
        {% do fields.append({
            'name': 's' ~ key,
            'type': 'string' if below is none else spark_schema(below),
            'nullable': true,
        }) %}
    {% endfor %}
    {% do return({'type': 'struct', 'fields': fields}) %}
{% endmacro %}


{% macro named_struct_type(structure) %}
    {% set fields = [] %}
    {% for key, below in structure.items() %}
        {% do fields.append(
            field_named(key) ~ ': ' ~ ('string' if below is none else named_struct_type(below))
        ) %}
    {% endfor %}
    {% do return('struct<' ~ fields | join(', ') ~ '>') %}
{% endmacro %}


{% macro field_named(key) %}
    {% do return('k' ~ key.encode('utf-8', 'surrogatepass').hex()) %}
{% endmacro %}


{% macro struct_path(struct, keys) %}
    {% set names = [struct] %}
    {% for key in keys %} {% do names.append(field_named(key)) %} {% endfor %}
    {% do return(names | join('.')) %}
{% endmacro %}


{% macro value_as(value, type) %}
    {# A value where all that were seen were of one type; as DuckDB's json_transform has it. #}
    {% if type == 'varchar' %}
        {% do return(
            "case " ~ kind_of(value) ~ " when 's' then " ~ value_text(value)
            ~ " when 'n' then " ~ double_text(value_text(value))
            ~ " when '{' then " ~ untagged(value) ~ " when '[' then " ~ untagged(value)
            ~ " else " ~ value ~ " end"
        ) %}
    {% elif type == 'boolean' %}
        {% do return("case " ~ kind_of(value) ~ " when 't' then true when 'f' then false end") %}
    {% elif type == 'bigint' %}
        {% do return(
            "case when " ~ kind_of(value) ~ " = 'n' then try_cast(" ~ value_text(value)
            ~ " as bigint) end"
        ) %}
    {% else %}
        {% do return(
            "case when " ~ kind_of(value) ~ " in ('n', 's') then "
            ~ finite_double(value_text(value)) ~ " end"
        ) %}
    {% endif %}
{% endmacro %}


{% macro spark__json_text(json) %}
    {% do return(
        "case when " ~ kind_of(json) ~ " in ('s', 'n') then " ~ value_text(json)
        ~ " when " ~ kind_of(json) ~ " in ('{', '[') then " ~ untagged(json)
        ~ " else " ~ json ~ " end"
    ) %}
{% endmacro %}


{% macro spark__json_as_column(json) %}
    {# A text in quotes: as the one field of an object, of which the brackets and the name go. #}
    {% set quoted = "to_json(named_struct('a', " ~ value_text(json) ~ "))" %}
    {% do return(
        "case " ~ kind_of(json) ~ " when 's' then substr(" ~ quoted ~ ", 6, length(" ~ quoted
        ~ ") - 6) when 'n' then " ~ value_text(json) ~ " when '{' then " ~ untagged(json)
        ~ " when '[' then " ~ untagged(json) ~ " else " ~ json ~ " end"
    ) %}
{% endmacro %}


{% macro spark__json_value_of(json, type, column_type) %}
    {% set text = value_text(json) %}
    {% set kind = kind_of(json) %}
    {% set is_whole = "(" ~ kind ~ " = 'n' and " ~ text ~ " rlike r'^-?[0-9]+\\z')" %}
    {% set is_word = "(" ~ is_whole ~ " and try_cast(" ~ text ~ " as decimal(38, 0)) between "
        ~ "-9223372036854775808BD and 18446744073709551615BD)"
    %}
    {% if type == 'string' %}
        {% set is_of_type = "(" ~ kind ~ " = 's' or " ~ is_whole ~ " and length(replace(" ~ text
            ~ ", '-', '')) >= 19 and try_cast(" ~ text ~ " as bigint) is null)"
        %}
    {% elif type in ['bigint', 'long'] %}
        {% set is_of_type = is_word %}
        {% if column_type != 'bigint' %}
            {% set is_of_type = is_of_type ~ ' and ' ~ 'not ' * (type == 'long')
                ~ is_held_by_double(text)
            %}
        {% endif %}
    {% elif type == 'double' %}
        {% set is_of_type = "(" ~ kind ~ " = 'n' and not " ~ is_whole ~ " or " ~ is_word ~ " and "
            ~ is_held_by_double(text) ~ ")"
        %}
    {% elif type == 'boolean' %}
        {% set is_of_type = kind ~ " in ('t', 'f')" %}
    {% elif type == 'array' %}
        {% set is_of_type = kind ~ " = '['" %}
    {% elif type == 'map' %}
        {% set is_of_type = "(" ~ kind ~ " = '{' and exists(json_object_keys(" ~ json
            ~ "), key -> substr(key, 2) rlike r'(?s)^(?:" ~ id_like() ~ ")\\z'))"
        %}
    {% else %}
        {% set is_of_type = kind ~ " = '{'" %}
    {% endif %}
    {% if column_type == 'json' %}
        {% set value = json_as_column(json) %}
    {% elif column_type == 'varchar' %}
        {% set value = json_text(json) %}
    {% elif column_type == 'bigint' %}
        {% set value = whole_number(text) %}
    {% elif column_type == 'boolean' %}
        {% set value = json ~ " = 'true'" %}
    {% else %}
        {% set value = 'try_cast(' ~ text ~ ' as ' ~ column_type ~ ')' %}
    {% endif %}
    {% do return('case when ' ~ is_of_type ~ ' then ' ~ value ~ ' end') %}
{% endmacro %}


{% macro spark__json_read_as(json, type) %}
    {% set text = value_text(json) %}
    {% set kind = kind_of(json) %}
    {% if type == 'varchar' %}
        {% set is_readable = kind ~ " not in ('{', '[')" %}
        {% set value = json_text(json) %}
    {% elif type == 'timestamp' %}
        {% set is_readable = kind ~ " = 's'" %}
        {% set value = utc_timestamp(text) %}
    {% elif type == 'boolean' %}
        {% set is_readable = "true" %}
        {% set value = "case when " ~ json ~ " in ('true', 'false') then " ~ json ~ " = 'true' when "
            ~ "lower(" ~ json ~ ") in ('strue', 'st', 'syes', 'sy', 's1') and " ~ kind
            ~ " = 's' then true when lower(" ~ json ~ ") in ('sfalse', 'sf', 'sno', 'sn', 's0') and "
            ~ kind ~ " = 's' then false end"
        %}
    {% elif type == 'bigint' %}
        {% set is_readable = kind ~ " in ('s', 'n') and " ~ text ~ " rlike r'^-?[0-9]+([.]0+)?\\z'" %}
        {% set value = whole_number(text) %}
    {% else %}
        {% set is_readable = kind ~ " in ('s', 'n') and (not " ~ text
            ~ " rlike r'^-?[0-9]{16,}\\z' or " ~ is_held_by_double(text, 'hugeint') ~ ")"
        %}
        {% set value = finite_double(text) %}
    {% endif %}
    {% do return('case when ' ~ is_readable ~ ' then ' ~ value ~ ' end') %}
{% endmacro %}


{% macro spark__blank_as_null(text) %}
    {% do return(
        "case when not " ~ text ~ " rlike r'^[\\s\\p{Z}\\p{Cc}\\p{Cf}\\x{FFFD}]*+\\z' then " ~ text
        ~ " end"
    ) %}
{% endmacro %}


{% macro spark__hashed(text, call) %}
    {% set salt = '' %}
    {% if execute %}
        {% set query %}
            select coalesce(coming, rules) from {{ columns_table('rules') }} where call = '{{ call }}'
        {% endset %}
        {% set salt = fromjson(run_query(query).rows[0][0]).hash_salt %}
    {% endif %}
    {% do return('sha2(concat(' ~ spark_string(salt) ~ ', ' ~ text ~ '), 256)') %}
{% endmacro %}


{% macro spark__row_as_json(row) %}
    {% do return("to_json(struct(" ~ row ~ ".*), map('ignoreNullFields', 'false'))") %}
{% endmacro %}


{% macro spark_string(text) %}
    {# No dollar: behind one, Spark puts the environment in the place of `{env:HOME}`, in texts too. #}
    {% set escaped = text | replace("\\", "\\\\") | replace("'", "\\'") | replace("$", "\\u0024") %}
    {% do return("'" ~ escaped ~ "'") %}
{% endmacro %}
